// The header of a safetensors file: from and to text, and checked against the size of the data. For safetensors.cc
// alone.
#ifndef BITGATE_RUNTIME_TENSOR_SAFETENSORS_HEADER_H_
#define BITGATE_RUNTIME_TENSOR_SAFETENSORS_HEADER_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace bitgate::internal {

// The format's own limit; a longer one is refused on both sides.
inline constexpr uint64_t kLargestSafetensorsHeader = 100000000;

struct SafetensorsRecord {
  std::string dtype;
  std::vector<int64_t> shape;
  uint64_t begin = 0, end = 0;  // in the data
};

struct SafetensorsHeader {
  std::map<std::string, std::string> metadata;
  std::map<std::string, SafetensorsRecord> tensors;
};

// Bytes of one element, or 0 for a dtype that is none.
uint64_t SafetensorsElementSize(const std::string& dtype);

// Bytes of a tensor. Throws InvalidArgument, the message beginning with `where`, for an unknown dtype, a negative
// dimension or a product past 2^63 - 1.
uint64_t SafetensorsBytes(const std::string& where, const std::string& dtype, const std::vector<int64_t>& shape);

// Throws DataLoss, naming `path`, unless `text` is a header whose tensors cover `data_bytes` bytes exactly once. Takes
// no more memory than a small multiple of the text, however deep it nests.
SafetensorsHeader ParseSafetensorsHeader(const std::string& path, std::string_view text, uint64_t data_bytes);

// Tensors in the order of their data, padded with spaces to a multiple of 8. Throws InvalidArgument, naming `path`, for
// text that is not UTF-8 and a header past the limit.
std::string FormatSafetensorsHeader(const std::string& path, const SafetensorsHeader& header);

// For messages: in quotes, without control characters, shortened.
std::string QuotedName(std::string_view name);

}  // namespace bitgate::internal

#endif  // BITGATE_RUNTIME_TENSOR_SAFETENSORS_HEADER_H_
