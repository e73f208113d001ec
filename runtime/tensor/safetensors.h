// Reading and writing of safetensors files: named arrays, and text metadata, that many tools can open.
//
// Format: the header's length (8 bytes, little-endian); the header, a JSON object that gives every tensor's dtype,
// shape and place, and under "__metadata__" strings; the data, row-major and little-endian, back to back.
// https://github.com/huggingface/safetensors. This file knows names, bytes and sizes only, no Tensor.
#ifndef BITGATE_RUNTIME_TENSOR_SAFETENSORS_H_
#define BITGATE_RUNTIME_TENSOR_SAFETENSORS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/tensor/safetensors_header.h"

namespace bitgate {

struct SafetensorsEntry {
  std::string dtype;  // as the format spells it: "F32", "I32", "I8", "U8", "I64", "BF16", ...
  std::vector<int64_t> shape;
  const std::byte* data = nullptr;  // borrowed
  size_t bytes = 0;
};

// Writes all of it or, on any error, nothing: `path` then stays as it was (AtomicFile). The same entries and metadata
// give the same bytes. Tensors lie in the order of descending element size, then name, and the data begins at a
// multiple of 8, so each is aligned for its type. Throws InvalidArgument for an unknown dtype, a shape that does not
// give `bytes`, the name "__metadata__" and names or metadata that are not UTF-8; what AtomicFile throws otherwise.
void WriteSafetensors(const std::string& path, const std::map<std::string, SafetensorsEntry>& entries,
                      const std::map<std::string, std::string>& metadata);

// A whole file in memory, checked before use: the header fits the file and is the JSON it should be, every dtype is
// known, every shape gives the size of its range, and the ranges cover the data exactly once. Any deviation is DataLoss
// with the file's name, what was expected and what was found.
class SafetensorsFile {
 public:
  // Throws NotFound for a missing file, DataLoss as above, ResourceExhausted if it does not fit into memory.
  static SafetensorsFile Open(const std::string& path);

  const std::string& path() const { return path_; }
  const std::map<std::string, std::string>& metadata() const { return header_.metadata; }

  // Sorted.
  std::vector<std::string> names() const;
  bool Contains(const std::string& name) const { return header_.tensors.count(name) != 0; }

  // Throws NotFound, naming file and tensor. The data belongs to this object; in files that others have written it need
  // not be aligned for its type: copy it with memcpy.
  SafetensorsEntry Entry(const std::string& name) const;

 private:
  SafetensorsFile() = default;

  std::string path_;
  internal::SafetensorsHeader header_;
  std::unique_ptr<std::byte[]> data_;
};

}  // namespace bitgate

#endif  // BITGATE_RUNTIME_TENSOR_SAFETENSORS_H_
