#include "models/data/cifar.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "models/data/open.h"
#include "models/data/test_gzip.h"
#include "runtime/base/error.h"

namespace bitgate {
namespace {

// Byte `i` of plane `channel` of the image with this number.
uint8_t Pixel(int number, int channel, int i) { return static_cast<uint8_t>(7 * number + 100 * channel + i * i + i); }

std::string Record(const std::string& labels, int number) {
  std::string record = labels;
  for (int channel = 0; channel < 3; ++channel) {
    for (int i = 0; i < 1024; ++i) record += static_cast<char>(Pixel(number, channel, i));
  }
  return record;
}

std::string Ten(int number) { return Record(std::string(1, static_cast<char>(number % 10)), number); }
std::string Hundred(int number) {
  return Record({static_cast<char>(number % 20), static_cast<char>(number % 100)}, number);
}

class CifarTest : public testing::Test {
 protected:
  void SetUp() override {
    const char* root = std::getenv("TEST_TMPDIR");
    folder_ = std::string(root ? root : testing::TempDir()) + "/cifar_" +
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }

  void Write(const std::string& name, const std::string& content) const {
    std::filesystem::create_directories(std::filesystem::path(Path(name)).parent_path());
    std::ofstream(Path(name), std::ios::binary) << content;
  }

  // Images 0, 1, 2, ...: one in batch 1, two in batch 2, and so on; the test set begins at number 15.
  void WriteTen(const std::string& place = "", bool packed = false) const {
    int number = 0;
    for (int batch = 1; batch <= 6; ++batch) {
      std::string content;
      for (int i = 0; i < batch; ++i) content += Ten(number++);
      const std::string name = batch == 6 ? "test_batch.bin" : "data_batch_" + std::to_string(batch) + ".bin";
      Write(place + name + (packed ? ".gz" : ""), packed ? Gzip(content) : content);
    }
  }

  // Numbers from `first` on, as Ten and Hundred have them.
  static void ExpectImages(const Dataset& dataset, int first, int count, int num_classes) {
    EXPECT_EQ(dataset.image_shape(), (ImageShape{32, 32, 3}));
    EXPECT_EQ(dataset.num_classes(), num_classes);
    ASSERT_EQ(dataset.size(), count);
    const auto& pixels = std::get<std::vector<uint8_t>>(dataset.pixels());
    for (int k = 0; k < count; ++k) {
      EXPECT_EQ(dataset.labels()[k], (first + k) % num_classes);
      for (int i = 0; i < 1024; ++i) {
        for (int channel = 0; channel < 3; ++channel) {
          ASSERT_EQ(pixels[(k * 1024 + i) * 3 + channel], Pixel(first + k, channel, i)) << k << " " << i;
        }
      }
    }
  }

  void ExpectError(absl::StatusCode code, const std::string& message, Split split = Split::kTest,
                   int num_classes = 0) const {
    try {
      LoadCifar(folder_, split, num_classes);
      FAIL() << "expected: " << message;
    } catch (const Error& error) {
      EXPECT_EQ(error.what(), message);
      EXPECT_EQ(error.code(), code);
    }
  }

  static constexpr absl::StatusCode kDataLoss = absl::StatusCode::kDataLoss;
  static constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;
  static constexpr absl::StatusCode kNotFound = absl::StatusCode::kNotFound;
  std::string folder_;
};

TEST_F(CifarTest, LoadsCifar10) {
  WriteTen();
  EXPECT_TRUE(IsCifarFolder(folder_));
  ExpectImages(LoadCifar(folder_, Split::kTrain), 0, 15, 10);
  ExpectImages(LoadCifar(folder_, Split::kTest), 15, 6, 10);
  EXPECT_EQ(LoadCifar(folder_, Split::kTest, 12).num_classes(), 12);
}

TEST_F(CifarTest, LoadsGzipFilesFromTheSubFolder) {
  WriteTen("cifar-10-batches-bin/", /*packed=*/true);
  ExpectImages(LoadCifar(folder_, Split::kTrain), 0, 15, 10);
  ExpectImages(LoadCifar(Path("cifar-10-batches-bin"), Split::kTest), 15, 6, 10);
}

TEST_F(CifarTest, LoadsTheFineLabelsOfCifar100) {
  std::string train;
  for (int number = 0; number < 100; ++number) train += Hundred(number);
  for (const std::string place : {"", "cifar-100-binary/"}) {
    std::filesystem::remove_all(folder_);
    Write(place + "train.bin", train);
    Write(place + "test.bin", Gzip(Hundred(99)));  // whatever its name
    ExpectImages(LoadCifar(folder_, Split::kTrain), 0, 100, 100);
    ExpectImages(LoadCifar(folder_, Split::kTest), 99, 1, 100);
  }
}

TEST_F(CifarTest, NamesWhatIsMissing) {
  ExpectError(kNotFound,
              "cifar: expected test_batch.bin (CIFAR-10, also in cifar-10-batches-bin), or test.bin (CIFAR-100, also "
              "in cifar-100-binary) (each also with .gz) in " +
                  folder_ + ", got none of them");
  EXPECT_FALSE(IsCifarFolder(folder_));
  WriteTen("cifar-10-batches-bin/");
  std::filesystem::remove(Path("cifar-10-batches-bin/data_batch_4.bin"));
  ExpectError(kNotFound,
              "cifar: expected data_batch_1.bin, data_batch_2.bin, data_batch_3.bin, data_batch_4.bin, "
              "data_batch_5.bin (each also with .gz) in " +
                  Path("cifar-10-batches-bin") + ", got no data_batch_4.bin",
              Split::kTrain);
  ExpectImages(LoadCifar(folder_, Split::kTest), 15, 6, 10);
  std::filesystem::remove_all(folder_);
  ExpectError(kNotFound,
              "cifar: expected a folder with CIFAR's binary files, got " + folder_ + ", which does not exist");
}

TEST_F(CifarTest, RefusesBothFormatsAtOnce) {
  WriteTen("cifar-10-batches-bin/");
  Write("cifar-100-binary/test.bin", Hundred(0));
  ExpectError(kInvalid, "cifar: expected one of CIFAR-10 and CIFAR-100, got both: " + Path("cifar-10-batches-bin") +
                            " and " + Path("cifar-100-binary") + "; name the folder of one of them");
}

TEST_F(CifarTest, RefusesWhatIsNotWholeRecords) {
  const std::string three = Ten(0) + Ten(1) + Ten(2);
  const std::string message = ": expected a multiple of 3073 bytes, for that is a record of CIFAR-10, got ";
  for (const size_t size : {1, 3072, 3074, 9218}) {
    Write("test_batch.bin", three.substr(0, size));
    ExpectError(kDataLoss, Path("test_batch.bin") + message + std::to_string(size));
    Write("test_batch.bin", Gzip(three.substr(0, size)));
    ExpectError(kDataLoss, Path("test_batch.bin") + message + std::to_string(size));
  }
  Write("test_batch.bin", "");
  ExpectError(kDataLoss, Path("test_batch.bin") + ": expected at least one record of 3073 bytes, got none");
  const std::string packed = Gzip(three);
  Write("test_batch.bin", packed.substr(0, packed.size() - 3));
  ExpectError(kDataLoss, Path("test_batch.bin") + ": expected a whole gzip stream, got one that is cut short");
  std::filesystem::remove(Path("test_batch.bin"));
  Write("test.bin", three);
  ExpectError(kDataLoss,
              Path("test.bin") + ": expected a multiple of 3074 bytes, for that is a record of CIFAR-100, got 9219");
}

TEST_F(CifarTest, AGzipBombEnds) {
  // One member unpacks to 1,000 images, and 101 of them to more than there may be: 300 KB that ask for 300 MB.
  const std::string member = Gzip(std::string(3073 * 1000, '\0'));
  std::string bomb;
  for (int i = 0; i < 101; ++i) bomb += member;
  Write("test_batch.bin.gz", bomb);
  ExpectError(kDataLoss, Path("test_batch.bin.gz") + ": expected at most 100000 images, got more");
}

TEST_F(CifarTest, RefusesLabelsOutOfRange) {
  Write("test_batch.bin", Ten(3) + Record("\x0a", 0));
  ExpectError(kDataLoss, Path("test_batch.bin") + ": expected labels in [0, 10), got 10 for image 1");
  Write("test_batch.bin", Ten(3) + Ten(4));
  ExpectError(kInvalid, Path("test_batch.bin") + ": expected labels in [0, 4), got 4 for image 1", Split::kTest, 4);
  std::filesystem::remove(Path("test_batch.bin"));
  Write("test.bin", Record({20, 0}, 0));
  ExpectError(kDataLoss, Path("test.bin") + ": expected coarse labels in [0, 20), got 20 for image 0");
  Write("test.bin", Record({0, 100}, 0));
  ExpectError(kDataLoss, Path("test.bin") + ": expected fine labels in [0, 100), got 100 for image 0");
}

TEST_F(CifarTest, AFolderTellsItsFormat) {
  const auto message_of = [&]() -> std::string {
    try {
      OpenDataset(folder_, Split::kTest);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(message_of(),
            "data: expected the files of a data set in " + folder_ +
                ": IDX (train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-...), CIFAR-10 (data_batch_1.bin, ..., "
                "test_batch.bin, also in cifar-10-batches-bin) or CIFAR-100 (train.bin, test.bin, also in "
                "cifar-100-binary), each also with .gz; got none of them");
  WriteTen("cifar-10-batches-bin/");
  ExpectImages(OpenDataset(folder_, Split::kTest), 15, 6, 10);
  Write("t10k-labels-idx1-ubyte.gz", "");
  EXPECT_EQ(message_of(), "data: expected IDX files or CIFAR files in " + folder_ + ", got both");
  std::filesystem::remove_all(Path("cifar-10-batches-bin"));
  EXPECT_EQ(message_of().substr(0, 58), "idx: expected one of t10k-images-idx3-ubyte, t10k-images.i");
}

}  // namespace
}  // namespace bitgate
