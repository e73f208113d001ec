#include "models/data/cifar.h"

#include <cstdint>
#include <filesystem>
#include <new>
#include <utility>
#include <vector>

#include "models/data/byte_file.h"
#include "models/data/folder.h"
#include "runtime/base/error.h"

namespace bitgate {
namespace {

constexpr ImageShape kImage = {32, 32, 3};
constexpr int64_t kPlane = kImage.height * kImage.width;
constexpr int64_t kMostRecords = 100000;  // of a file: nothing else bounds what a gzip stream unpacks to

struct Format {
  std::string name, sub_folder;
  std::vector<std::string> train, test;  // files
  std::vector<int> classes;              // of each label byte of a record; the last is the one that counts

  const std::vector<std::string>& files(Split split) const { return split == Split::kTrain ? train : test; }
  int64_t record() const { return static_cast<int64_t>(classes.size()) + kImage.channels * kPlane; }
};

const std::vector<Format>& Formats() {
  static const auto* formats = new std::vector<Format>{
      {"CIFAR-10",
       "cifar-10-batches-bin",
       {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"},
       {"test_batch.bin"},
       {10}},
      {"CIFAR-100", "cifar-100-binary", {"train.bin"}, {"test.bin"}, {20, 100}},
  };
  return *formats;
}

struct Place {
  const Format* format;
  std::string folder;
};

// Where files of either half are.
std::vector<Place> FindPlaces(const std::string& folder) {
  std::vector<Place> places;
  for (const Format& format : Formats()) {
    for (const std::string& place : {folder, (std::filesystem::path(folder) / format.sub_folder).string()}) {
      bool found = false;
      for (const Split split : {Split::kTrain, Split::kTest}) {
        for (const std::string& name : format.files(split)) found = found || !FindPlainOrGzip(place, name).empty();
      }
      if (!found) continue;
      places.push_back({&format, place});
      break;  // the files in the folder itself come first
    }
  }
  return places;
}

std::string Join(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

Place FindPlace(const std::string& folder, Split split) {
  CheckFolder("cifar", "CIFAR's binary files", folder);
  const std::vector<Place> places = FindPlaces(folder);
  if (places.size() > 1) {
    throw InvalidArgument("cifar: expected one of CIFAR-10 and CIFAR-100, got both: ", places[0].folder, " and ",
                          places[1].folder, "; name the folder of one of them");
  }
  if (places.size() == 1) return places[0];
  std::string tried;
  for (const Format& format : Formats()) {
    tried += (tried.empty() ? "" : ", or ") + Join(format.files(split)) + " (" + format.name + ", also in " +
             format.sub_folder + ")";
  }
  throw NotFound("cifar: expected ", tried, " (each also with .gz) in ", folder, ", got none of them");
}

// The label of image `image` of the file, which begins at `record`.
int32_t CheckedLabel(const ByteFile& file, const Format& format, const uint8_t* record, int64_t image,
                     int num_classes) {
  for (size_t i = 0; i < format.classes.size(); ++i) {
    if (record[i] < format.classes[i]) continue;
    throw DataLoss(file.path(), ": expected ", format.classes.size() > 1 ? (i == 0 ? "coarse " : "fine ") : "",
                   "labels in [0, ", format.classes[i], "), got ", int{record[i]}, " for image ", image);
  }
  const int32_t label = record[format.classes.size() - 1];
  if (num_classes > 0 && label >= num_classes) {
    throw InvalidArgument(file.path(), ": expected labels in [0, ", num_classes, "), got ", label, " for image ",
                          image);
  }
  return label;
}

// From planes to pixels.
void AppendImage(const uint8_t* planes, std::vector<uint8_t>* pixels) {
  const size_t begin = pixels->size();
  pixels->resize(begin + kImage.elements());
  uint8_t* out = pixels->data() + begin;
  for (int64_t i = 0; i < kPlane; ++i) {
    for (int64_t channel = 0; channel < kImage.channels; ++channel) *out++ = planes[channel * kPlane + i];
  }
}

// Appends what the file has; memory grows with what really comes.
void ReadBatch(const std::string& path, const Format& format, int num_classes, std::vector<uint8_t>* pixels,
               std::vector<int32_t>* labels) try {
  ByteFile file(path);
  std::vector<uint8_t> record(format.record());
  int64_t images = 0;
  while (const size_t got = file.Read(record.data(), record.size())) {
    if (got != record.size()) {
      throw DataLoss(path, ": expected a multiple of ", record.size(), " bytes, for that is a record of ", format.name,
                     ", got ", images * format.record() + static_cast<int64_t>(got));
    }
    if (images == kMostRecords) throw DataLoss(path, ": expected at most ", kMostRecords, " images, got more");
    labels->push_back(CheckedLabel(file, format, record.data(), images, num_classes));
    AppendImage(record.data() + format.classes.size(), pixels);
    ++images;
  }
  if (images == 0) throw DataLoss(path, ": expected at least one record of ", record.size(), " bytes, got none");
} catch (const std::bad_alloc&) {
  throw ResourceExhausted(path, ": expected to fit in memory, got more data than there is memory");
}

}  // namespace

bool IsCifarFolder(const std::string& folder) { return !FindPlaces(folder).empty(); }

Dataset LoadCifar(const std::string& folder, Split split, int num_classes) {
  const Place place = FindPlace(folder, split);
  std::vector<std::string> paths;  // all of them before the first is read
  for (const std::string& name : place.format->files(split)) {
    paths.push_back(FindPlainOrGzip(place.folder, name));
    if (!paths.back().empty()) continue;
    throw NotFound("cifar: expected ", Join(place.format->files(split)), " (each also with .gz) in ", place.folder,
                   ", got no ", name);
  }
  std::vector<uint8_t> pixels;
  std::vector<int32_t> labels;
  for (const std::string& path : paths) ReadBatch(path, *place.format, num_classes, &pixels, &labels);
  return Dataset::FromArrays(kImage, std::move(pixels), std::move(labels),
                             num_classes == 0 ? place.format->classes.back() : num_classes);
}

}  // namespace bitgate
