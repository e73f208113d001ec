#include "models/data/idx.h"

#include <algorithm>
#include <cstdint>
#include <iomanip>
#include <new>
#include <sstream>
#include <utility>
#include <vector>

#include "models/data/byte_file.h"
#include "models/data/folder.h"
#include "runtime/base/error.h"

namespace bitgate {
namespace {

// A magic number is 0, 0, the element type (8: unsigned byte), the number of dimensions.
constexpr uint32_t kLabels = 0x00000801, kGrayImages = 0x00000803, kColorImages = 0x00000804;

std::vector<uint32_t> ImageMagics() { return {kGrayImages, kColorImages}; }

const char* Prefix(Split split) { return split == Split::kTrain ? "train" : "t10k"; }

struct IdxArray {
  std::string path;
  std::vector<uint32_t> dimensions;
  std::vector<uint8_t> values;
};

std::string Join(const std::vector<uint32_t>& values, const char* separator) {
  std::ostringstream out;
  for (size_t i = 0; i < values.size(); ++i) out << (i ? separator : "") << values[i];
  return out.str();
}

std::string Hex(const std::vector<uint32_t>& values) {
  std::ostringstream out;
  out << std::hex << std::setfill('0');
  for (size_t i = 0; i < values.size(); ++i) out << (i ? " or " : "") << "0x" << std::setw(8) << values[i];
  return out.str();
}

// Reads big-endian numbers.
std::vector<uint32_t> ReadNumbers(ByteFile* file, size_t count, const char* what) {
  std::vector<uint8_t> bytes(count * 4);
  const size_t got = file->Read(bytes.data(), bytes.size());
  if (got != bytes.size()) {
    throw DataLoss(file->path(), ": expected ", bytes.size(), " bytes of ", what, ", got ", got);
  }
  std::vector<uint32_t> numbers;
  for (size_t i = 0; i < bytes.size(); i += 4) {
    numbers.push_back(uint32_t{bytes[i]} << 24 | uint32_t{bytes[i + 1]} << 16 | uint32_t{bytes[i + 2]} << 8 |
                      bytes[i + 3]);
  }
  return numbers;
}

// The product of the dimensions, which are all at least 1; throws as soon as it passes what the file can hold.
uint64_t CheckedProduct(const ByteFile& file, const std::vector<uint32_t>& dimensions) {
  uint64_t product = 1;
  for (uint64_t dimension : dimensions) {
    if (product > file.max_size() / dimension) {
      throw DataLoss(file.path(), ": expected ", Join(dimensions, "x"),
                     " bytes of data as its header says, got at most ", file.max_size());
    }
    product *= dimension;
  }
  return product;
}

// Memory grows with the bytes that really come, to at most twice as many.
std::vector<uint8_t> ReadValues(ByteFile* file, const std::vector<uint32_t>& dimensions) {
  const uint64_t size = CheckedProduct(*file, dimensions);
  std::vector<uint8_t> values;
  while (values.size() < size) {
    const size_t have = values.size();
    values.resize(std::min<uint64_t>(size, have + std::max<size_t>(have, 1 << 20)));
    const size_t got = file->Read(values.data() + have, values.size() - have);
    if (have + got < values.size()) {
      throw DataLoss(file->path(), ": expected ", Join(dimensions, "x"), " bytes of data as its header says, got ",
                     have + got);
    }
  }
  uint8_t extra;
  if (file->Read(&extra, 1) != 0) {
    throw DataLoss(file->path(), ": expected nothing after the ", size,
                   " bytes of data that its header declares, got more");
  }
  return values;
}

IdxArray ReadIdx(const std::string& path, const std::vector<uint32_t>& magics) try {
  ByteFile file(path);
  const uint32_t magic = ReadNumbers(&file, 1, "magic number")[0];
  if (std::find(magics.begin(), magics.end(), magic) == magics.end()) {
    throw DataLoss(path, ": expected magic number ", Hex(magics), ", got ", Hex({magic}));
  }
  const std::vector<uint32_t> dimensions = ReadNumbers(&file, magic & 0xff, "dimensions");
  if (std::find(dimensions.begin(), dimensions.end(), 0u) != dimensions.end()) {
    throw InvalidArgument(path, ": expected dimensions of at least 1, got ", Join(dimensions, "x"));
  }
  return {path, dimensions, ReadValues(&file, dimensions)};
} catch (const std::bad_alloc&) {
  throw ResourceExhausted(path, ": expected to fit in memory, got more data than there is memory");
}

// `stem`-idxR-ubyte and `stem`.idxR-ubyte.
std::vector<std::string> FileNames(const std::string& stem, const std::vector<uint32_t>& magics) {
  std::vector<std::string> names;
  for (uint32_t magic : magics) {
    for (const char* separator : {"-", "."}) {
      names.push_back(stem + separator + "idx" + std::to_string(magic & 0xff) + "-ubyte");
    }
  }
  return names;
}

std::string FindFile(const std::string& folder, const std::string& stem, const std::vector<uint32_t>& magics) {
  std::string tried;
  for (const std::string& name : FileNames(stem, magics)) {
    const std::string path = FindPlainOrGzip(folder, name);
    if (!path.empty()) return path;
    tried += (tried.empty() ? "" : ", ") + name;
  }
  throw NotFound("idx: expected one of ", tried, " (each also with .gz) in ", folder, ", got none of them");
}

std::vector<int32_t> CheckLabels(const IdxArray& labels, int num_classes) {
  for (size_t i = 0; num_classes > 0 && i < labels.values.size(); ++i) {
    if (labels.values[i] >= num_classes) {
      throw InvalidArgument(labels.path, ": expected labels in [0, ", num_classes, "), got ", int{labels.values[i]},
                            " for image ", i);
    }
  }
  return std::vector<int32_t>(labels.values.begin(), labels.values.end());
}

}  // namespace

bool IsIdxFolder(const std::string& folder) {
  for (const Split split : {Split::kTrain, Split::kTest}) {
    std::vector<std::string> names = FileNames(std::string(Prefix(split)) + "-images", ImageMagics());
    for (const std::string& name : FileNames(std::string(Prefix(split)) + "-labels", {kLabels})) names.push_back(name);
    for (const std::string& name : names) {
      if (!FindPlainOrGzip(folder, name).empty()) return true;
    }
  }
  return false;
}

Dataset LoadIdx(const std::string& folder, Split split, int num_classes) {
  CheckFolder("idx", "IDX files", folder);
  const std::string prefix = Prefix(split);
  const std::string images_path = FindFile(folder, prefix + "-images", ImageMagics());
  const std::string labels_path = FindFile(folder, prefix + "-labels", {kLabels});
  IdxArray images = ReadIdx(images_path, ImageMagics());
  const IdxArray labels = ReadIdx(labels_path, {kLabels});
  if (images.dimensions[0] != labels.dimensions[0]) {
    throw InvalidArgument("idx: expected as many labels as images, got ", images.dimensions[0], " images in ",
                          images_path, " and ", labels.dimensions[0], " labels in ", labels_path);
  }
  const ImageShape shape = {images.dimensions[1], images.dimensions[2],
                            images.dimensions.size() > 3 ? images.dimensions[3] : 1};
  return Dataset::FromArrays(shape, std::move(images.values), CheckLabels(labels, num_classes), num_classes);
}

}  // namespace bitgate
