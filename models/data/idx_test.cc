#include "models/data/idx.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "models/data/test_gzip.h"
#include "runtime/base/error.h"

namespace bitgate {
namespace {

// A file's content: big-endian header numbers, then bytes.
std::string Idx(const std::vector<uint32_t>& header, const std::string& bytes) {
  std::string content;
  for (uint32_t number : header) {
    for (int shift = 24; shift >= 0; shift -= 8) content += static_cast<char>(number >> shift);
  }
  return content + bytes;
}

std::string Counting(size_t count) {
  std::string bytes;
  for (size_t i = 0; i < count; ++i) bytes += static_cast<char>(i);
  return bytes;
}

class IdxTest : public testing::Test {
 protected:
  void SetUp() override {
    const char* root = std::getenv("TEST_TMPDIR");
    folder_ = std::string(root ? root : testing::TempDir()) + "/idx_" +
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }

  void Write(const std::string& name, const std::string& content) const {
    std::ofstream(Path(name), std::ios::binary) << content;
  }

  // Three 2x4 images and the labels 2, 0, 1.
  void WriteGood() const {
    Write("train-images-idx3-ubyte", images_);
    Write("train-labels-idx1-ubyte", labels_);
  }

  void ExpectGood(const Dataset& dataset) const {
    EXPECT_EQ(dataset.image_shape(), (ImageShape{2, 4, 1}));
    EXPECT_EQ(dataset.labels(), (std::vector<int32_t>{2, 0, 1}));
    EXPECT_EQ(dataset.num_classes(), 3);
    const auto& pixels = std::get<std::vector<uint8_t>>(dataset.pixels());
    ASSERT_EQ(pixels.size(), 24u);
    for (size_t i = 0; i < pixels.size(); ++i) EXPECT_EQ(pixels[i], i);
  }

  void ExpectError(absl::StatusCode code, const std::string& message, int num_classes = 0) const {
    try {
      LoadIdx(folder_, Split::kTrain, num_classes);
      FAIL() << "expected: " << message;
    } catch (const Error& error) {
      EXPECT_EQ(error.what(), message);
      EXPECT_EQ(error.code(), code);
    }
  }

  // The good files with other images, or other labels: the message starts with that file's path.
  void ExpectBadImages(const std::string& images, absl::StatusCode code, const std::string& message) const {
    WriteGood();
    Write("train-images-idx3-ubyte", images);
    ExpectError(code, Path("train-images-idx3-ubyte") + message);
  }
  void ExpectBadLabels(const std::string& labels, absl::StatusCode code, const std::string& message) const {
    WriteGood();
    Write("train-labels-idx1-ubyte", labels);
    ExpectError(code, Path("train-labels-idx1-ubyte") + message);
  }

  static constexpr absl::StatusCode kDataLoss = absl::StatusCode::kDataLoss;
  static constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;
  const std::string images_ = Idx({0x803, 3, 2, 4}, Counting(24));
  const std::string labels_ = Idx({0x801, 3}, std::string("\2\0\1", 3));
  std::string folder_;
};

TEST_F(IdxTest, LoadsPlainFiles) {
  WriteGood();
  ExpectGood(LoadIdx(folder_, Split::kTrain));
}

TEST_F(IdxTest, LoadsGzipFiles) {
  Write("train-images-idx3-ubyte.gz", Gzip(images_));
  Write("train-labels-idx1-ubyte.gz", Gzip(labels_));
  ExpectGood(LoadIdx(folder_, Split::kTrain));
}

TEST_F(IdxTest, LoadsGzipFilesOfSeveralMembersWhateverTheirName) {
  Write("train-images-idx3-ubyte", Gzip(images_.substr(0, 19)) + Gzip(images_.substr(19)));
  Write("train-labels-idx1-ubyte", labels_);
  ExpectGood(LoadIdx(folder_, Split::kTrain));
}

TEST_F(IdxTest, LoadsTestSplitAndNamesWithADot) {
  Write("t10k-images.idx3-ubyte", images_);
  Write("t10k-labels.idx1-ubyte.gz", Gzip(labels_));
  ExpectGood(LoadIdx(folder_, Split::kTest));
}

TEST_F(IdxTest, LoadsMoreThanOneBufferOfGzip) {
  std::string noise;  // does not compress, so that the packed file spans several input buffers
  uint32_t state = 1;
  for (size_t i = 0; i < 1500 * 1000; ++i) noise += static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  Write("train-images-idx3-ubyte.gz", Gzip(Idx({0x803, 1, 1500, 1000}, noise)));
  Write("train-labels-idx1-ubyte", Idx({0x801, 1}, "\5"));
  const Dataset dataset = LoadIdx(folder_, Split::kTrain);
  const auto& pixels = std::get<std::vector<uint8_t>>(dataset.pixels());
  EXPECT_EQ(std::string(pixels.begin(), pixels.end()), noise);
}

TEST_F(IdxTest, LoadsColorImages) {
  Write("train-images-idx4-ubyte", Idx({0x804, 3, 1, 4, 2}, Counting(24)));
  Write("train-labels-idx1-ubyte", labels_);
  const Dataset dataset = LoadIdx(folder_, Split::kTrain, 10);
  EXPECT_EQ(dataset.image_shape(), (ImageShape{1, 4, 2}));
  EXPECT_EQ(dataset.num_classes(), 10);
}

TEST_F(IdxTest, NamesMissingFolder) {
  std::filesystem::remove_all(folder_);
  ExpectError(absl::StatusCode::kNotFound,
              "idx: expected a folder with IDX files, got " + folder_ + ", which does not exist");
  std::ofstream(folder_) << "a file";
  ExpectError(absl::StatusCode::kNotFound,
              "idx: expected a folder with IDX files, got " + folder_ + ", which is not a folder");
}

TEST_F(IdxTest, NamesMissingFiles) {
  ExpectError(absl::StatusCode::kNotFound,
              "idx: expected one of train-images-idx3-ubyte, train-images.idx3-ubyte, train-images-idx4-ubyte, "
              "train-images.idx4-ubyte (each also with .gz) in " +
                  folder_ + ", got none of them");
  Write("train-images-idx3-ubyte", images_);
  std::filesystem::create_directory(Path("train-labels-idx1-ubyte"));  // a folder of that name is not the file
  ExpectError(absl::StatusCode::kNotFound,
              "idx: expected one of train-labels-idx1-ubyte, train-labels.idx1-ubyte (each also with .gz) in " +
                  folder_ + ", got none of them");
}

TEST_F(IdxTest, RejectsWrongMagic) {
  ExpectBadImages(labels_, kDataLoss, ": expected magic number 0x00000803 or 0x00000804, got 0x00000801");
  ExpectBadLabels(images_, kDataLoss, ": expected magic number 0x00000801, got 0x00000803");
  ExpectBadImages("PK\3\4 a zip archive", kDataLoss,
                  ": expected magic number 0x00000803 or 0x00000804, got 0x504b0304");
}

TEST_F(IdxTest, RejectsShortHeader) {
  ExpectBadImages("", kDataLoss, ": expected 4 bytes of magic number, got 0");
  ExpectBadImages(images_.substr(0, 13), kDataLoss, ": expected 12 bytes of dimensions, got 9");
}

TEST_F(IdxTest, RejectsTruncatedData) {
  ExpectBadImages(Idx({0x803, 30, 2, 4}, Counting(24)), kDataLoss,
                  ": expected 30x2x4 bytes of data as its header says, got at most 40");
  ExpectBadImages(images_.substr(0, 39), kDataLoss, ": expected 3x2x4 bytes of data as its header says, got 23");
  ExpectBadImages(Gzip(images_.substr(0, 39)), kDataLoss, ": expected 3x2x4 bytes of data as its header says, got 23");
}

TEST_F(IdxTest, RejectsHostileSizesBeforeAllocating) {
  const uint32_t huge = 0xffffffff;
  ExpectBadImages(
      Idx({0x804, huge, huge, huge, huge}, ""), kDataLoss,
      ": expected 4294967295x4294967295x4294967295x4294967295 bytes of data as its header says, got at most "
      "20");
  const std::string packed = Gzip(Idx({0x803, huge, huge, huge}, ""));
  ExpectBadImages(packed, kDataLoss,
                  ": expected 4294967295x4294967295x4294967295 bytes of data as its header says, got at most " +
                      std::to_string(packed.size() * 1032));
}

TEST_F(IdxTest, RejectsTrailingBytes) {
  const std::string message = ": expected nothing after the 24 bytes of data that its header declares, got more";
  ExpectBadImages(images_ + "x", kDataLoss, message);
  ExpectBadImages(Gzip(images_ + std::string(1 << 20, 'x')), kDataLoss, message);
  ExpectBadImages(Gzip(images_) + "not gzip", kDataLoss,
                  ": expected a gzip stream, got a damaged one (incorrect header check)");
}

TEST_F(IdxTest, RejectsDamagedGzip) {
  const std::string packed = Gzip(images_);
  for (size_t size : {size_t{2}, size_t{12}, packed.size() - 8, packed.size() - 1}) {
    ExpectBadImages(packed.substr(0, size), kDataLoss, ": expected a whole gzip stream, got one that is cut short");
  }
  std::string flipped = packed;
  flipped[packed.size() - 6] ^= 1;
  ExpectBadImages(flipped, kDataLoss, ": expected a gzip stream, got a damaged one (incorrect data check)");
}

TEST_F(IdxTest, RejectsEmptySetAndEmptyImages) {
  ExpectBadImages(Idx({0x803, 0, 28, 28}, ""), kInvalid, ": expected dimensions of at least 1, got 0x28x28");
  ExpectBadImages(Idx({0x803, 3, 28, 0}, ""), kInvalid, ": expected dimensions of at least 1, got 3x28x0");
  ExpectBadLabels(Idx({0x801, 0}, ""), kInvalid, ": expected dimensions of at least 1, got 0");
}

TEST_F(IdxTest, RejectsCountsThatDiffer) {
  WriteGood();
  Write("train-labels-idx1-ubyte", Idx({0x801, 2}, "\1\2"));
  ExpectError(kInvalid, "idx: expected as many labels as images, got 3 images in " + Path("train-images-idx3-ubyte") +
                            " and 2 labels in " + Path("train-labels-idx1-ubyte"));
}

TEST_F(IdxTest, RejectsLabelsOutOfRange) {
  WriteGood();
  ExpectError(kInvalid, Path("train-labels-idx1-ubyte") + ": expected labels in [0, 2), got 2 for image 0", 2);
}

}  // namespace
}  // namespace bitgate
