#include "runtime/tensor/safetensors_header.h"

#include <algorithm>
#include <limits>
#include <set>

#include "nlohmann/json.hpp"
#include "runtime/base/error.h"

namespace bitgate::internal {
namespace {

using nlohmann::json;

constexpr char kMetadataName[] = "__metadata__";

// Accepts exactly the shape that a header has and stops at the first deviation, so nothing hostile is ever built up:
//   {"__metadata__": {text: text}, name: {"dtype": text, "shape": [integers], "data_offsets": [begin, end]}}
// The functions are the parser's events; false stops it, with `expected` and `got` saying why.
class HeaderReader : public nlohmann::json_sax<json> {
 public:
  SafetensorsHeader header;
  std::string expected, got;

  bool null() override { return Fail(Wanted(), "null"); }
  bool boolean(bool) override { return Fail(Wanted(), "a boolean"); }
  bool number_integer(number_integer_t value) override { return Fail(Wanted(), std::to_string(value)); }
  bool number_float(number_float_t, const string_t& text) override { return Fail(Wanted(), QuotedName(text)); }
  bool binary(binary_t&) override { return Fail(Wanted(), "binary data"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (state_ == State::kShape && value <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      record_.shape.push_back(static_cast<int64_t>(value));
      return true;
    }
    if (state_ == State::kOffsets && offsets_.size() < 2) {
      offsets_.push_back(value);
      return true;
    }
    return Fail(Wanted(), std::to_string(value));
  }

  bool string(string_t& value) override {
    if (state_ == State::kMetadata) {
      header.metadata[field_] = value;
      return true;
    }
    if (state_ == State::kTensor && field_ == "dtype") {
      record_.dtype = value;
      return true;
    }
    return Fail(Wanted(), QuotedName(value));
  }

  bool start_object(std::size_t) override {
    if (state_ == State::kOutside) {
      state_ = State::kTop;
      return true;
    }
    if (state_ != State::kTop) return Fail(Wanted(), "an object");
    state_ = name_ == kMetadataName ? State::kMetadata : State::kTensor;
    record_ = {};
    fields_.clear();
    return true;
  }

  bool key(string_t& value) override {
    if (state_ == State::kTop) {
      name_ = value;
      return names_.insert(value).second || Fail("every name once", QuotedName(value) + " twice");
    }
    field_ = value;
    if (state_ == State::kTensor && value != "dtype" && value != "shape" && value != "data_offsets") {
      return Fail("dtype, shape and data_offsets" + OfTensor(), QuotedName(value));
    }
    return fields_.insert(value).second ||
           Fail("every key of " + QuotedName(name_) + " once", QuotedName(value) + " twice");
  }

  bool end_object() override {
    if (state_ == State::kTensor) {
      if (fields_.size() != 3) {
        return Fail("dtype, shape and data_offsets" + OfTensor(), std::to_string(fields_.size()) + " of them");
      }
      header.tensors.emplace(name_, std::move(record_));
    }
    state_ = state_ == State::kTop ? State::kOutside : State::kTop;
    return true;
  }

  bool start_array(std::size_t) override {
    if (state_ == State::kTensor && field_ == "shape") {
      state_ = State::kShape;
      return true;
    }
    if (state_ == State::kTensor && field_ == "data_offsets") {
      state_ = State::kOffsets;
      offsets_.clear();
      return true;
    }
    return Fail(Wanted(), "an array");
  }

  bool end_array() override {
    if (state_ == State::kOffsets) {
      if (offsets_.size() != 2) return Fail(Wanted(), std::to_string(offsets_.size()) + " integers");
      record_.begin = offsets_[0];
      record_.end = offsets_[1];
    }
    state_ = State::kTensor;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const json::exception&) override {
    return Fail("a header of valid JSON", "an error at its byte " + std::to_string(position));
  }

 private:
  enum class State { kOutside, kTop, kMetadata, kTensor, kShape, kOffsets };

  bool Fail(std::string what, std::string instead) {
    expected = std::move(what);
    got = std::move(instead);
    return false;
  }

  std::string OfTensor() const { return " of tensor " + QuotedName(name_); }

  // What may stand at the present place.
  std::string Wanted() const {
    switch (state_) {
      case State::kOutside:
        return "a JSON object";
      case State::kTop:
        return "an object under " + QuotedName(name_);
      case State::kMetadata:
        return "a string as metadata " + QuotedName(field_);
      case State::kTensor:
        return (field_ == "dtype" ? "a string as dtype" : "an array of integers as " + field_) + OfTensor();
      case State::kShape:
        return "integers from 0 to 2^63 - 1 as shape" + OfTensor();
      case State::kOffsets:
        return "two integers as data_offsets" + OfTensor();
    }
    return "";
  }

  State state_ = State::kOutside;
  std::string name_, field_;
  std::set<std::string> names_, fields_;  // seen in the outer object and in the inner one
  SafetensorsRecord record_;
  std::vector<uint64_t> offsets_;
};

using NamedRecord = std::pair<const std::string, SafetensorsRecord>;

std::vector<const NamedRecord*> InDataOrder(const SafetensorsHeader& header) {
  std::vector<const NamedRecord*> order;
  for (const NamedRecord& tensor : header.tensors) order.push_back(&tensor);
  std::stable_sort(order.begin(), order.end(), [](const NamedRecord* a, const NamedRecord* b) {
    return std::make_pair(a->second.begin, a->second.end) < std::make_pair(b->second.begin, b->second.end);
  });
  return order;
}

void CheckSizes(const std::string& path, const SafetensorsHeader& header) {
  for (const auto& [name, record] : header.tensors) {
    const std::string where = path + ": tensor " + QuotedName(name);
    uint64_t bytes = 0;
    try {
      bytes = SafetensorsBytes(where, record.dtype, record.shape);
    } catch (const Error& error) {
      throw DataLoss(error.what());
    }
    if (record.end < record.begin || record.end - record.begin != bytes) {
      throw DataLoss(where, ": expected data_offsets ", bytes, " bytes apart, got ", record.begin, " and ", record.end);
    }
  }
}

// Every byte of the data belongs to one tensor, which also bounds the offsets.
void CheckCover(const std::string& path, const SafetensorsHeader& header, uint64_t data_bytes) {
  uint64_t next = 0;
  for (const NamedRecord* tensor : InDataOrder(header)) {
    const auto& [name, record] = *tensor;
    if (record.begin != next) {
      throw DataLoss(path, ": tensor ", QuotedName(name), ": expected its data at offset ", next, ", got ",
                     record.begin, record.begin < next ? " (overlap)" : " (hole)");
    }
    next = record.end;
  }
  if (next != data_bytes) {
    throw DataLoss(path, ": expected ", next, " bytes of data as the header says, got ", data_bytes);
  }
}

std::string JsonString(const std::string& path, const std::string& text) {
  try {
    return json(text).dump();
  } catch (const json::exception&) {
    throw InvalidArgument(path, ": expected names and metadata in UTF-8, got ", QuotedName(text));
  }
}

template <class Integers>
std::string JsonArray(const Integers& integers) {
  std::string text = "[";
  for (auto integer : integers) text += (text.size() > 1 ? "," : "") + std::to_string(integer);
  return text + "]";
}

}  // namespace

uint64_t SafetensorsElementSize(const std::string& dtype) {
  static const auto* const kSizes = new std::map<std::string, uint64_t>{
      {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"I16", 2}, {"U16", 2}, {"F16", 2},
      {"BF16", 2}, {"I32", 4}, {"U32", 4}, {"F32", 4},     {"I64", 8},     {"U64", 8}, {"F64", 8}};
  const auto found = kSizes->find(dtype);
  return found == kSizes->end() ? 0 : found->second;
}

uint64_t SafetensorsBytes(const std::string& where, const std::string& dtype, const std::vector<int64_t>& shape) {
  const uint64_t element = SafetensorsElementSize(dtype);
  if (element == 0) throw InvalidArgument(where, ": expected a dtype of safetensors, got ", QuotedName(dtype));
  int64_t bytes = static_cast<int64_t>(element);
  for (int64_t dimension : shape) {
    if (dimension < 0) throw InvalidArgument(where, ": expected dimensions from 0, got ", dimension);
    if (__builtin_mul_overflow(bytes, dimension, &bytes)) {
      throw InvalidArgument(where, ": expected a shape of less than 2^63 bytes, got ", shape.size(),
                            " dimensions with a larger product");
    }
  }
  return static_cast<uint64_t>(bytes);
}

SafetensorsHeader ParseSafetensorsHeader(const std::string& path, std::string_view text, uint64_t data_bytes) {
  if (text.empty() || text.front() != '{') {
    throw DataLoss(path, ": expected a safetensors header that begins with '{', got ",
                   text.empty() ? "an empty one" : QuotedName(text.substr(0, 1)));
  }
  // The parser takes a zero byte for the end of its input.
  const size_t zero = text.find('\0');
  if (zero != std::string_view::npos) {
    throw DataLoss(path, ": expected a header of valid JSON, got a zero byte at its byte ", zero + 1);
  }
  HeaderReader reader;
  if (!json::sax_parse(text.begin(), text.end(), &reader)) {
    throw DataLoss(path, ": expected ", reader.expected, ", got ", reader.got);
  }
  CheckSizes(path, reader.header);
  CheckCover(path, reader.header, data_bytes);
  return std::move(reader.header);
}

std::string FormatSafetensorsHeader(const std::string& path, const SafetensorsHeader& header) {
  std::string text = "{";
  if (!header.metadata.empty()) {
    for (const auto& [key, value] : header.metadata) {
      text += (text.size() > 1 ? "," : "\"__metadata__\":{") + JsonString(path, key) + ":" + JsonString(path, value);
    }
    text += "}";
  }
  for (const NamedRecord* tensor : InDataOrder(header)) {
    const auto& [name, record] = *tensor;
    text += (text.size() > 1 ? "," : "") + JsonString(path, name) + ":{\"dtype\":" + JsonString(path, record.dtype) +
            ",\"shape\":" + JsonArray(record.shape) +
            ",\"data_offsets\":" + JsonArray(std::vector<uint64_t>{record.begin, record.end}) + "}";
  }
  text += "}";
  text.resize((text.size() + 7) / 8 * 8, ' ');
  if (text.size() > kLargestSafetensorsHeader) {
    throw InvalidArgument(path, ": expected names and metadata of at most ", kLargestSafetensorsHeader, " bytes, got ",
                          text.size());
  }
  return text;
}

std::string QuotedName(std::string_view name) {
  constexpr size_t kShown = 80;
  std::string text = "'";
  for (char c : name.substr(0, kShown)) text += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return text + (name.size() > kShown ? "...'" : "'");
}

}  // namespace bitgate::internal
