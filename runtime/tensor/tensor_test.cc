#include "runtime/tensor/tensor.h"

#include <gtest/gtest.h>

#include "runtime/base/error.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

template <class F>
std::string MessageOf(F f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Shape, CountsAndCompares) {
  EXPECT_EQ(Shape({2, 3, 4}).size(), 24);
  EXPECT_EQ(Shape({}).size(), 1);
  EXPECT_EQ(Shape({3, 0}).size(), 0);
  EXPECT_NE(Shape({2, 3}), Shape({2, 3, 1}));
  EXPECT_EQ(MessageOf([] { Shape({1, -2}); }), "shape: expected dimensions >= 0, got -2 at axis 1");
  EXPECT_EQ(MessageOf([] { Shape({1 << 30, 1 << 30, 1 << 30}); }), "shape: expected at most 2^60 elements, got more");
  EXPECT_EQ(MessageOf([] { Shape({1, 1, 1, 1, 1, 1, 1}); }), "shape: expected rank at most 6, got 7");
}

TEST(Tensor, RoundTripsThroughTheDevice) {
  Context context;
  const std::vector<int32_t> values = {1, 2, 3, 4, 5, 6};
  const Tensor tensor = FromHost(context, values, {2, 3});
  EXPECT_EQ(ToHost<int32_t>(context, tensor), values);
  EXPECT_EQ(MessageOf([&] { ToHost<float>(context, tensor); }), "tensor: expected dtype float32, got int32");
  EXPECT_EQ(MessageOf([&] { FromHost(context, values, {7}); }), "tensor: expected 7 values for shape [7], got 6");
}

TEST(Tensor, ViewsShareStorageAndCopiesDoNot) {
  Context context;
  const Tensor tensor = FromHost<float>(context, {0, 1, 2, 3, 4, 5}, {2, 3});
  const Tensor transposed = PermuteView(tensor, {1, 0});
  EXPECT_EQ(transposed.shape(), Shape({3, 2}));
  EXPECT_FALSE(transposed.contiguous());
  EXPECT_EQ(ToHost<float>(context, transposed), (std::vector<float>{0, 3, 1, 4, 2, 5}));
  const Tensor column = SliceView(tensor, 1, 1, 3);
  EXPECT_EQ(ToHost<float>(context, column), (std::vector<float>{1, 2, 4, 5}));
  const Tensor row = SliceView(tensor, 0, 1, 2);
  EXPECT_TRUE(row.contiguous());
  row.data<float>()[0] = 30;
  EXPECT_EQ(tensor.data<float>()[3], 30);
  const Tensor copy = Clone(context, tensor);
  copy.data<float>()[0] = -1;
  EXPECT_EQ(tensor.data<float>()[0], 0);
  CopyInto(context, tensor, copy);
  EXPECT_EQ(tensor.data<float>()[0], -1);
  EXPECT_EQ(ReshapeView(tensor, {6}).shape(), Shape({6}));
}

TEST(Tensor, ViewsRejectWhatDoesNotFit) {
  Context context;
  const Tensor tensor = Zeros(context, {2, 3});
  EXPECT_EQ(MessageOf([&] { ReshapeView(tensor, {7}); }), "reshape: expected 6 elements as in [2, 3], got [7]");
  EXPECT_EQ(MessageOf([&] { SliceView(tensor, 0, 1, 3); }), "slice: expected 0 <= begin <= end <= 2, got [1, 3)");
  EXPECT_EQ(MessageOf([&] { PermuteView(tensor, {0, 0}); }), "permute: expected each axis of [2, 3] once, got 0");
  EXPECT_EQ(MessageOf([&] {
              PermuteView(tensor, {1, 0}).view();
            }),
            "tensor: expected a contiguous tensor, got strides over shape [3, 2]");
}

TEST(Tensor, BorrowedMemoryIsReleasedOnce) {
  std::vector<float> memory(4, 1.0f);
  int released = 0;
  {
    const Tensor tensor = BorrowTensor(memory.data(), {4}, DType::kFloat32, {}, [&] { ++released; });
    const Tensor copy = tensor;
    EXPECT_EQ(copy.data<float>(), memory.data());
  }
  EXPECT_EQ(released, 1);
}

TEST(Tensor, MemoryReturnsToThePool) {
  Context context;
  { const Tensor tensor = Zeros(context, {100}); }
  const auto before = context.pool()->statistics();
  for (int i = 0; i < 10; ++i) Zeros(context, {100});
  EXPECT_EQ(context.pool()->statistics().system_allocations, before.system_allocations);
  EXPECT_EQ(context.pool()->statistics().in_use_bytes, 0);
}

}  // namespace
}  // namespace bitgate
