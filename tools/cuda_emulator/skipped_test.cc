#include <gtest/gtest.h>

TEST(Emulator, IsTestedUnderItsConfiguration) { GTEST_SKIP() << "build with --config=cuda_emulated"; }
