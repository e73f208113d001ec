#include "runtime/device/shared_library.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <string>

#include "runtime/base/error.h"

namespace bitgate {
namespace {

using ::testing::HasSubstr;

constexpr const char* kFolders = "BITGATE_CUDA_LIBRARIES";

template <class Body>
std::string MessageOf(Body body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), absl::StatusCode::kUnimplemented);
    return error.what();
  }
  ADD_FAILURE() << "expected an error, got none";
  return "";
}

TEST(SharedLibrary, OpensWhatTheLoaderFinds) {
  unsetenv(kFolders);
  const SharedLibrary library("the C library", "libc.so.6");
  const auto absolute = reinterpret_cast<int (*)(int)>(library.Function("abs"));
  EXPECT_EQ(absolute(-3), 3);
  EXPECT_THAT(MessageOf([&] { library.Function("no_such_function"); }),
              HasSubstr("the C library: expected a function no_such_function, got libc.so.6 without it"));
}

TEST(SharedLibrary, MissingLibrarySaysWhatWasTriedAndWhatHelps) {
  setenv(kFolders, "/no/such/folder:/nor/this", 1);
  setenv("CUDA_PATH", "/no/toolkit", 1);
  const std::string message = MessageOf([] { SharedLibrary("cuNothing 9", "libcunothing.so.9"); });
  unsetenv(kFolders);
  unsetenv("CUDA_PATH");
  for (const char* part :
       {"cuNothing 9: expected to find libcunothing.so.9", "/no/such/folder/libcunothing.so.9: ",
        "/nor/this/libcunothing.so.9: ", ", libcunothing.so.9: ", "/no/toolkit/lib64/libcunothing.so.9: ",
        "/usr/local/cuda/lib64/libcunothing.so.9: ", "install cuNothing 9", "LD_LIBRARY_PATH", kFolders}) {
    EXPECT_THAT(message, HasSubstr(part));
  }
  EXPECT_LT(message.find("/no/such/folder"), message.find(", libcunothing.so.9: "));
}

}  // namespace
}  // namespace bitgate
