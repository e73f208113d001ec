#include "runtime/tensor/safetensors.h"

#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"

namespace bitgate {
namespace {

using absl::StatusCode;
using ::testing::ElementsAre;
using Entries = std::map<std::string, SafetensorsEntry>;
using Metadata = std::map<std::string, std::string>;

class SafetensorsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "/safetensors_test_XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    path_ = folder_ + "/model.safetensors";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string folder_, path_;
};

// The bytes of a file as any other program could have written it.
std::string Assemble(const std::string& header, const std::string& data) {
  const uint64_t length = header.size();
  std::string bytes(sizeof(length), '\0');
  std::memcpy(bytes.data(), &length, sizeof(length));
  return bytes + header + data;
}

template <class T>
SafetensorsEntry EntryOf(const char* dtype, std::vector<int64_t> shape, const std::vector<T>& values) {
  return {dtype, std::move(shape), reinterpret_cast<const std::byte*>(values.data()), values.size() * sizeof(T)};
}

template <class T>
std::vector<T> ValuesOf(const SafetensorsEntry& entry) {
  std::vector<T> values(entry.bytes / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), entry.data, entry.bytes);
  return values;
}

void ExpectError(const std::function<void()>& call, StatusCode code, const std::string& message) {
  try {
    call();
    FAIL() << "no exception; expected: " << message;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    EXPECT_EQ(std::string(error.what()), message);
  }
}

TEST_F(SafetensorsTest, RoundTrip) {
  const std::vector<float> weight = {1.5f, -2, 0, 3e-39f, 5, 6};
  const std::vector<int64_t> step = {-7};
  const std::vector<int8_t> codes = {-128, 0, 127};
  const std::vector<uint16_t> half = {0x3f80};
  const Entries entries = {
      {"conv1/weight", EntryOf("F32", {2, 3}, weight)}, {"step", EntryOf("I64", {}, step)},
      {"codes", EntryOf("I8", {3, 1, 1}, codes)},       {"half", EntryOf("BF16", {1}, half)},
      {"empty", {"F32", {4, 0}, nullptr, 0}},           {"na\"me\n\xc3\xa9", EntryOf("I8", {3}, codes)}};
  const Metadata metadata = {{"recipe", "line 1\nline \"2\"\\ \xe2\x82\xac"}, {"", "empty key"}, {"empty", ""}};
  WriteSafetensors(path_, entries, metadata);

  const SafetensorsFile file = SafetensorsFile::Open(path_);
  EXPECT_EQ(file.path(), path_);
  EXPECT_EQ(file.metadata(), metadata);
  EXPECT_THAT(file.names(), ElementsAre("codes", "conv1/weight", "empty", "half", "na\"me\n\xc3\xa9", "step"));
  for (const auto& [name, entry] : entries) {
    const SafetensorsEntry got = file.Entry(name);
    EXPECT_EQ(got.dtype, entry.dtype);
    EXPECT_EQ(got.shape, entry.shape);
    EXPECT_EQ(ValuesOf<char>(got), ValuesOf<char>(entry)) << name;
  }
  EXPECT_EQ(ValuesOf<float>(file.Entry("conv1/weight")), weight);
  EXPECT_TRUE(file.Contains("step"));
  EXPECT_FALSE(file.Contains("Step"));
  ExpectError([&] { file.Entry("bias"); }, StatusCode::kNotFound,
              path_ + ": expected a tensor 'bias', got none of that name");
}

TEST_F(SafetensorsTest, MovingKeepsTheData) {
  const std::vector<int8_t> codes = {1, 2};
  WriteSafetensors(path_, {{"a", EntryOf("I8", {2}, codes)}}, {});
  SafetensorsFile file = SafetensorsFile::Open(path_);
  const SafetensorsEntry entry = file.Entry("a");
  const SafetensorsFile moved = std::move(file);
  EXPECT_EQ(moved.Entry("a").data, entry.data);
  EXPECT_EQ(ValuesOf<int8_t>(moved.Entry("a")), codes);
}

TEST_F(SafetensorsTest, NothingIsAFileToo) {
  WriteSafetensors(path_, {}, {});
  EXPECT_EQ(ReadFile(path_), Assemble("{}      ", ""));
  EXPECT_TRUE(SafetensorsFile::Open(path_).names().empty());
}

// Wide elements first, so that all are aligned; then by name; the header padded to a multiple of 8.
TEST_F(SafetensorsTest, BytesAreKnown) {
  const std::vector<uint8_t> a = {1, 2, 3};
  const std::vector<int32_t> b = {0x04030201}, c = {5, 6};
  WriteSafetensors(path_, {{"c", EntryOf("I32", {2}, c)}, {"b", EntryOf("I32", {}, b)}, {"a", EntryOf("U8", {3}, a)}},
                   {{"k", "v"}, {"j", "w"}});
  std::string header =
      R"({"__metadata__":{"j":"w","k":"v"},"b":{"dtype":"I32","shape":[],"data_offsets":[0,4]},)"
      R"("c":{"dtype":"I32","shape":[2],"data_offsets":[4,12]},"a":{"dtype":"U8","shape":[3],"data_offsets":[12,15]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  EXPECT_EQ(ReadFile(path_), Assemble(header, std::string("\1\2\3\4\5\0\0\0\6\0\0\0\1\2\3", 15)));
}

// As another program may write it: no padding, white space, names and ranges in other orders, escapes.
TEST_F(SafetensorsTest, ReadsWhatOthersWrite) {
  WriteFileAtomically(path_, Assemble(R"({ "z" : {"data_offsets":[1,5], "shape":[1],"dtype":"F32"},
 "\u0061":{"dtype":"BOOL","data_offsets":[0,1],"shape":[]},"__metadata__":{"format":"pt"} })",
                                      std::string("\1\0\0\x80\x3f", 5)));
  const SafetensorsFile file = SafetensorsFile::Open(path_);
  EXPECT_EQ(file.metadata(), (Metadata{{"format", "pt"}}));
  EXPECT_THAT(file.names(), ElementsAre("a", "z"));
  EXPECT_THAT(ValuesOf<float>(file.Entry("z")), ElementsAre(1.0f));
  EXPECT_THAT(ValuesOf<char>(file.Entry("a")), ElementsAre(1));
}

TEST_F(SafetensorsTest, WritingTheSameGivesTheSameBytes) {
  const std::vector<float> values = {1, 2};
  const Entries entries = {{"a", EntryOf("F32", {2}, values)}, {"b", EntryOf("F32", {1, 2}, values)}};
  WriteSafetensors(path_, entries, {{"k", "v"}});
  const std::string first = ReadFile(path_);
  WriteSafetensors(path_, entries, {{"k", "v"}});
  EXPECT_EQ(ReadFile(path_), first);
}

TEST_F(SafetensorsTest, WritingRefusesWhatCannotBeReadAndKeepsTheOldFile) {
  const std::vector<float> two = {1, 2};
  WriteFileAtomically(path_, "old");
  const auto refuse = [&](const std::string& name, const SafetensorsEntry& entry, const std::string& message) {
    ExpectError([&] { WriteSafetensors(path_, {{name, entry}}, {}); }, StatusCode::kInvalidArgument, path_ + message);
  };
  refuse("a", EntryOf("F31", {2}, two), ": tensor 'a': expected a dtype of safetensors, got 'F31'");
  refuse("a", EntryOf("F32", {3}, two), ": tensor 'a': expected 12 bytes, got 8");
  refuse("a", EntryOf("F32", {-2}, two), ": tensor 'a': expected dimensions from 0, got -2");
  refuse("a", EntryOf("F32", {int64_t{1} << 61}, two),
         ": tensor 'a': expected a shape of less than 2^63 bytes, got 1 dimensions with a larger product");
  refuse("a", {"F32", {2}, nullptr, 8}, ": tensor 'a': expected data, got none");
  refuse("__metadata__", EntryOf("F32", {2}, two),
         ": tensor '__metadata__': expected another name, got the one of the metadata");
  refuse("a\xff", EntryOf("F32", {2}, two), ": expected names and metadata in UTF-8, got 'a\xff'");
  ExpectError(
      [&] {
        WriteSafetensors(path_, {}, {{"k", "\xc3"}});
      },
      StatusCode::kInvalidArgument, path_ + ": expected names and metadata in UTF-8, got '\xc3'");
  EXPECT_EQ(ReadFile(path_), "old");
  EXPECT_THROW(WriteSafetensors(folder_ + "/missing/x", {}, {}), Error);
}

TEST_F(SafetensorsTest, AMissingFileIsNotFound) {
  ExpectError([&] { SafetensorsFile::Open(path_); }, StatusCode::kNotFound,
              path_ + ": expected to read it, got No such file or directory");
}

TEST_F(SafetensorsTest, ATruncatedFileIsRefusedWhereverItIsCut) {
  const std::vector<float> values(100, 1.25f);
  WriteSafetensors(path_, {{"a", EntryOf("F32", {100}, values)}, {"b", EntryOf("F32", {10, 10}, values)}},
                   {{"k", std::string(200, 'v')}});
  const std::string whole = ReadFile(path_);
  const auto refused = [&](size_t length) {
    WriteFileAtomically(path_, whole.substr(0, length));
    try {
      SafetensorsFile::Open(path_);
      ADD_FAILURE() << length << " of " << whole.size() << " bytes were accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), StatusCode::kDataLoss) << error.what();
      EXPECT_EQ(std::string(error.what()).find(path_ + ": expected"), 0u) << error.what();
    }
  };
  for (size_t sixteenth = 0; sixteenth < 16; ++sixteenth) refused(whole.size() * sixteenth / 16);
  for (size_t length : {size_t{1}, size_t{7}, size_t{8}, size_t{9}, whole.size() - 1}) refused(length);
}

struct Corruption {
  const char* what;
  std::string header;
  std::string data;
  std::string message;  // after the path
};

class CorruptionTest : public SafetensorsTest, public ::testing::WithParamInterface<Corruption> {};

TEST_P(CorruptionTest, IsDataLoss) {
  WriteFileAtomically(path_, Assemble(GetParam().header, GetParam().data));
  ExpectError([&] { SafetensorsFile::Open(path_); }, StatusCode::kDataLoss, path_ + GetParam().message);
}

// A header with one tensor "a" of these fields.
std::string OneTensor(const std::string& fields) { return "{\"a\":{" + fields + "}}"; }
std::string OneTensor(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return OneTensor("\"dtype\":" + dtype + ",\"shape\":" + shape + ",\"data_offsets\":" + offsets);
}
// A header with two tensors of bytes at these places.
std::string TwoTensors(const std::string& first, const std::string& second) {
  const auto bytes = [](const std::string& offsets) {
    return R"({"dtype":"U8","shape":[4],"data_offsets":)" + offsets + "}";
  };
  return "{\"a\":" + bytes(first) + ",\"b\":" + bytes(second) + "}";
}

const std::string kShape = ": expected integers from 0 to 2^63 - 1 as shape of tensor 'a', got ";
const std::string kOffsets = ": expected two integers as data_offsets of tensor 'a', got ";
const std::string kFields = ": expected dtype, shape and data_offsets of tensor 'a', got ";
const std::string kTooLarge = ": tensor 'a': expected a shape of less than 2^63 bytes, got ";
const std::string kJson = ": expected a header of valid JSON, got an error at its byte ";

INSTANTIATE_TEST_SUITE_P(
    Json, CorruptionTest,
    ::testing::Values(
        Corruption{"Empty", "", "", ": expected a safetensors header that begins with '{', got an empty one"},
        Corruption{"Array", "[]", "", ": expected a safetensors header that begins with '{', got '['"},
        Corruption{"LeadingSpace", " {}", "", ": expected a safetensors header that begins with '{', got ' '"},
        Corruption{"Binary", "\x80\x02", "", ": expected a safetensors header that begins with '{', got '\x80'"},
        Corruption{"Unfinished", "{\"a\":", "", kJson + "6"}, Corruption{"TwoObjects", "{}{}", "", kJson + "3"},
        Corruption{"TrailingComma", "{\"a\":{},}", "", kFields + "0 of them"},
        Corruption{"Comment", "{/**/}", "", kJson + "2"}, Corruption{"NotUtf8", "{\"\xff\":{}}", "", kJson + "3"},
        Corruption{"ZeroByte", std::string("{}\0\0", 4), "",
                   ": expected a header of valid JSON, got a zero byte at its byte 3"},
        Corruption{"HugeNumber", OneTensor("\"U8\"", "[1e999]", "[0,1]"), "x", kJson + "33"},
        Corruption{"DeepArrays", "{\"a\":" + std::string(100000, '['), "",
                   ": expected an object under 'a', got an array"},
        Corruption{"DeepShape", OneTensor("\"U8\"", std::string(100000, '['), ""), "", kShape + "an array"},
        Corruption{"DeepObjects", OneTensor("\"dtype\":{"), "",
                   ": expected a string as dtype of tensor 'a', got an object"},
        Corruption{"NotAnObject", "{\"a\":7}", "", ": expected an object under 'a', got 7"},
        Corruption{"Null", "{\"a\":null}", "", ": expected an object under 'a', got null"},
        Corruption{"DuplicateTensor", "{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},\"a\":{}}", "",
                   ": expected every name once, got 'a' twice"},
        Corruption{"DuplicateMetadata", R"({"__metadata__":{},"__metadata__":{}})", "",
                   ": expected every name once, got '__metadata__' twice"},
        Corruption{"DuplicateMetadataKey", R"({"__metadata__":{"k":"","k":""}})", "",
                   ": expected every key of '__metadata__' once, got 'k' twice"},
        Corruption{"MetadataNumber", R"({"__metadata__":{"k":1}})", "", ": expected a string as metadata 'k', got 1"},
        Corruption{"MetadataObject", R"({"__metadata__":{"k":{}}})", "",
                   ": expected a string as metadata 'k', got an object"},
        Corruption{"MetadataText", R"({"__metadata__":"k"})", "", ": expected an object under '__metadata__', got 'k'"},
        Corruption{"LongName", "{\"" + std::string(1000, 'n') + "\":true}", "",
                   ": expected an object under '" + std::string(80, 'n') + "...', got a boolean"},
        Corruption{"TerminalEscape", "{\"\\u001b[31m\":true}", "",
                   ": expected an object under '?[31m', got a boolean"}),
    [](const auto& info) { return info.param.what; });

INSTANTIATE_TEST_SUITE_P(
    Tensors, CorruptionTest,
    ::testing::Values(
        Corruption{"NoFields", OneTensor(""), "", kFields + "0 of them"},
        Corruption{"NoDtype", OneTensor("\"shape\":[],\"data_offsets\":[0,0]"), "", kFields + "2 of them"},
        Corruption{"UnknownField", OneTensor("\"strides\":[]"), "", kFields + "'strides'"},
        Corruption{"DuplicateField", OneTensor("\"dtype\":\"U8\",\"dtype\":\"I8\""), "",
                   ": expected every key of 'a' once, got 'dtype' twice"},
        Corruption{"UnknownDtype", OneTensor("\"Q4\"", "[]", "[0,1]"), "x",
                   ": tensor 'a': expected a dtype of safetensors, got 'Q4'"},
        Corruption{"DtypeNumber", OneTensor("32", "[]", "[0,1]"), "x",
                   ": expected a string as dtype of tensor 'a', got 32"},
        Corruption{"NegativeDimension", OneTensor("\"U8\"", "[-1]", "[0,1]"), "x", kShape + "-1"},
        Corruption{"FractionalDimension", OneTensor("\"U8\"", "[1.0]", "[0,1]"), "x", kShape + "'1.0'"},
        Corruption{"TextDimension", OneTensor("\"U8\"", "[\"1\"]", "[0,1]"), "x", kShape + "'1'"},
        Corruption{"DimensionPastInt64", OneTensor("\"U8\"", "[9223372036854775808]", "[0,1]"), "x",
                   kShape + "9223372036854775808"},
        Corruption{"ShapeNumber", OneTensor("\"U8\"", "1", "[0,1]"), "x",
                   ": expected an array of integers as shape of tensor 'a', got 1"},
        // Both products are 2^64 and 0 in 64 bits.
        Corruption{"ProductOverflow", OneTensor("\"U8\"", "[4294967296,4294967296]", "[0,0]"), "",
                   kTooLarge + "2 dimensions with a larger product"},
        Corruption{"BytesOverflow", OneTensor("\"F32\"", "[4611686018427387904]", "[0,0]"), "",
                   kTooLarge + "1 dimensions with a larger product"},
        Corruption{"NoOffsets", OneTensor("\"U8\"", "[0]", "[]"), "", kOffsets + "0 integers"},
        Corruption{"OneOffset", OneTensor("\"U8\"", "[0]", "[0]"), "", kOffsets + "1 integers"},
        Corruption{"ThreeOffsets", OneTensor("\"U8\"", "[0]", "[0,0,0]"), "", kOffsets + "0"},
        Corruption{"NegativeOffset", OneTensor("\"U8\"", "[1]", "[-1,0]"), "x", kOffsets + "-1"},
        Corruption{"BackwardOffsets", OneTensor("\"U8\"", "[1]", "[1,0]"), "x",
                   ": tensor 'a': expected data_offsets 1 bytes apart, got 1 and 0"},
        Corruption{"OffsetPastUint64", OneTensor("\"U8\"", "[1]", "[0,18446744073709551616]"), "x",
                   kOffsets + "'18446744073709551616'"},
        Corruption{"TooFewBytes", OneTensor("\"F32\"", "[2]", "[0,4]"), "four",
                   ": tensor 'a': expected data_offsets 8 bytes apart, got 0 and 4"},
        Corruption{"PastTheEnd", OneTensor("\"U8\"", "[9]", "[0,9]"), "8 bytes.",
                   ": expected 9 bytes of data as the header says, got 8"},
        Corruption{"FarPastTheEnd", OneTensor("\"U8\"", "[1]", "[18446744073709551614,18446744073709551615]"), "x",
                   ": tensor 'a': expected its data at offset 0, got 18446744073709551614 (hole)"},
        Corruption{"BytesLeftOver", OneTensor("\"U8\"", "[1]", "[0,1]"), "xyz",
                   ": expected 1 bytes of data as the header says, got 3"},
        Corruption{"HoleAtTheBeginning", OneTensor("\"U8\"", "[1]", "[1,2]"), "xy",
                   ": tensor 'a': expected its data at offset 0, got 1 (hole)"},
        Corruption{"Hole", TwoTensors("[0,4]", "[5,9]"), "123456789",
                   ": tensor 'b': expected its data at offset 4, got 5 (hole)"},
        Corruption{"Overlap", TwoTensors("[0,4]", "[3,7]"), "1234567",
                   ": tensor 'b': expected its data at offset 4, got 3 (overlap)"},
        Corruption{"SameRange", TwoTensors("[0,4]", "[0,4]"), "1234",
                   ": tensor 'b': expected its data at offset 4, got 0 (overlap)"}),
    [](const auto& info) { return info.param.what; });

TEST_F(SafetensorsTest, HeaderLengthsAreCheckedBeforeMemoryIsTaken) {
  const auto expect = [&](uint64_t length, const std::string& rest, const std::string& message) {
    std::string bytes(sizeof(length), '\0');
    std::memcpy(bytes.data(), &length, sizeof(length));
    WriteFileAtomically(path_, bytes + rest);
    ExpectError([&] { SafetensorsFile::Open(path_); }, StatusCode::kDataLoss, path_ + message);
  };
  expect(~uint64_t{0}, "{}",
         ": expected a safetensors header of at most 2 bytes, got a length of 18446744073709551615");
  expect(~uint64_t{0} - 7, "",
         ": expected a safetensors header of at most 0 bytes, got a length of 18446744073709551608");
  expect(3, "{}", ": expected a safetensors header of at most 2 bytes, got a length of 3");
  // A file that is large enough for the header it announces, at no cost of disk.
  expect(100000001, "{}", ": expected a safetensors header of at most 2 bytes, got a length of 100000001");
  std::filesystem::resize_file(path_, uint64_t{1} << 33);
  ExpectError([&] { SafetensorsFile::Open(path_); }, StatusCode::kDataLoss,
              path_ + ": expected a safetensors header of at most 100000000 bytes, got a length of 100000001");
  WriteFileAtomically(path_, "1234567");
  ExpectError([&] { SafetensorsFile::Open(path_); }, StatusCode::kDataLoss,
              path_ + ": expected a safetensors file of at least 8 bytes, got 7");
}

// Each of these changes of one byte of length or header is either refused with a DataLoss or still a consistent file.
TEST_F(SafetensorsTest, NoFlippedByteCrashes) {
  const std::vector<float> values = {1, 2, 3};
  WriteSafetensors(path_, {{"a", EntryOf("F32", {3}, values)}, {"b", EntryOf("F32", {1, 3}, values)}}, {{"k", "v"}});
  const std::string whole = ReadFile(path_);
  for (size_t position = 0; position < whole.size() - 24; ++position) {
    for (unsigned char change : {0x01, 0x02, 0x10, 0x80}) {
      std::string bytes = whole;
      bytes[position] = static_cast<char>(bytes[position] ^ change);
      std::ofstream(path_, std::ios::binary) << bytes;
      try {
        const SafetensorsFile file = SafetensorsFile::Open(path_);
        uint64_t total = 0;
        for (const std::string& name : file.names()) total += file.Entry(name).bytes;
        EXPECT_EQ(total, 24u);
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), StatusCode::kDataLoss) << error.what();
      }
    }
  }
}

}  // namespace
}  // namespace bitgate
