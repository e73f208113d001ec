#include "runtime/tensor/safetensors.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "runtime/base/error.h"
#include "runtime/base/file.h"

namespace bitgate {
namespace {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "safetensors data is little-endian");

using NamedEntry = std::pair<const std::string, SafetensorsEntry>;

void CheckEntry(const std::string& path, const std::string& name, const SafetensorsEntry& entry) {
  const std::string where = path + ": tensor " + internal::QuotedName(name);
  if (name == "__metadata__") throw InvalidArgument(where, ": expected another name, got the one of the metadata");
  const uint64_t bytes = internal::SafetensorsBytes(where, entry.dtype, entry.shape);
  if (bytes != entry.bytes) throw InvalidArgument(where, ": expected ", bytes, " bytes, got ", entry.bytes);
  if (entry.bytes > 0 && entry.data == nullptr) throw InvalidArgument(where, ": expected data, got none");
}

// The order in which each tensor is aligned if the first is.
std::vector<const NamedEntry*> InFileOrder(const std::map<std::string, SafetensorsEntry>& entries) {
  std::vector<const NamedEntry*> order;
  for (const NamedEntry& entry : entries) order.push_back(&entry);
  std::stable_sort(order.begin(), order.end(), [](const NamedEntry* a, const NamedEntry* b) {
    return internal::SafetensorsElementSize(a->second.dtype) > internal::SafetensorsElementSize(b->second.dtype);
  });
  return order;
}

std::unique_ptr<std::byte[]> Allocate(const std::string& path, uint64_t bytes) {
  std::unique_ptr<std::byte[]> data(new (std::nothrow) std::byte[bytes]);
  if (data == nullptr) throw ResourceExhausted(path, ": expected memory for ", bytes, " bytes, got none");
  return data;
}

}  // namespace

void WriteSafetensors(const std::string& path, const std::map<std::string, SafetensorsEntry>& entries,
                      const std::map<std::string, std::string>& metadata) {
  for (const auto& [name, entry] : entries) CheckEntry(path, name, entry);
  const std::vector<const NamedEntry*> order = InFileOrder(entries);
  internal::SafetensorsHeader header;
  header.metadata = metadata;
  uint64_t next = 0;
  for (const NamedEntry* item : order) {
    const auto& [name, entry] = *item;
    header.tensors[name] = {entry.dtype, entry.shape, next, next + entry.bytes};
    next += entry.bytes;
  }
  const std::string text = internal::FormatSafetensorsHeader(path, header);
  const uint64_t length = text.size();

  AtomicFile file(path);
  file.Write(&length, sizeof(length));
  file.Write(text);
  for (const NamedEntry* item : order) file.Write(item->second.data, item->second.bytes);
  file.Commit();
}

SafetensorsFile SafetensorsFile::Open(const std::string& path) {
  InputFile input(path);
  uint64_t length = 0;
  if (input.size() < sizeof(length)) {
    throw DataLoss(path, ": expected a safetensors file of at least 8 bytes, got ", input.size());
  }
  input.Read(&length, sizeof(length));
  const uint64_t rest = input.size() - sizeof(length);
  if (length > std::min(rest, internal::kLargestSafetensorsHeader)) {
    throw DataLoss(path, ": expected a safetensors header of at most ",
                   std::min(rest, internal::kLargestSafetensorsHeader), " bytes, got a length of ", length);
  }
  SafetensorsFile file;
  file.path_ = path;
  std::string text(length, '\0');
  input.Read(text.data(), length);
  file.header_ = internal::ParseSafetensorsHeader(path, text, rest - length);
  file.data_ = Allocate(path, rest - length);
  input.Read(file.data_.get(), rest - length);
  return file;
}

std::vector<std::string> SafetensorsFile::names() const {
  std::vector<std::string> names;
  for (const auto& [name, record] : header_.tensors) names.push_back(name);
  return names;
}

SafetensorsEntry SafetensorsFile::Entry(const std::string& name) const {
  const auto found = header_.tensors.find(name);
  if (found == header_.tensors.end()) {
    throw NotFound(path_, ": expected a tensor ", internal::QuotedName(name), ", got none of that name");
  }
  const internal::SafetensorsRecord& record = found->second;
  return {record.dtype, record.shape, data_.get() + record.begin, record.end - record.begin};
}

}  // namespace bitgate
