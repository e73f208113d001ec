#include "models/data/open.h"

#include <cstdlib>
#include <filesystem>
#include <string>

#include "gtest/gtest.h"
#include "runtime/base/error.h"

namespace bitgate {
namespace {

TEST(OpenTest, EmptyPathIsFashionMnist) {
  if (!std::filesystem::exists("/usr/share/datasets/fashion-mnist")) {
    GTEST_SKIP() << "the Debian package dataset-fashion-mnist is not installed";
  }
  const Dataset test = OpenDataset("", Split::kTest);
  EXPECT_EQ(test.size(), 10000);
  EXPECT_EQ(test.image_shape(), (ImageShape{28, 28, 1}));
  EXPECT_EQ(test.num_classes(), 10);
  EXPECT_EQ(OpenDataset("", Split::kTrain).size(), 60000);
}

TEST(OpenTest, NamesThePackageThatIsMissing) {
  try {
    OpenFashionMnist(Split::kTrain, 0, "/nowhere/fashion-mnist");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), absl::StatusCode::kNotFound);
    EXPECT_STREQ(
        error.what(),
        "data: no path given, so expected Fashion-MNIST in /nowhere/fashion-mnist, got no such folder; install "
        "the Debian package dataset-fashion-mnist or name a folder of IDX files");
  }
}

TEST(OpenTest, PathIsAFolder) {
  try {
    OpenDataset("/nowhere/mnist", Split::kTrain);
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "data: expected a folder with IDX or CIFAR files, got /nowhere/mnist, which does not exist");
  }
}

}  // namespace
}  // namespace bitgate
