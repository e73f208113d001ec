#include "ops/elementwise/pad_channels.h"

#include <vector>

#include "ops/elementwise/pad_channels_kernels.h"
#include "ops/operand.h"
#include "runtime/autograd/tape.h"
#include "runtime/base/error.h"
#include "runtime/kernel/dispatch.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

constexpr const char* kName = "pad_channels";

int64_t ChannelsOf(const Shape& shape) { return shape[shape.rank() - 1]; }

Shape WithChannels(const Shape& shape, int64_t channels) {
  std::vector<int64_t> dimensions(shape.begin(), shape.end());
  dimensions.back() = channels;
  return Shape(dimensions);
}

void Place(Context& context, const char* op, const Tensor& y, const Tensor& x, int64_t offset) {
  int64_t rows = 1;
  for (int axis = 0; axis + 1 < x.shape().rank(); ++axis) rows *= x.shape()[axis];
  static const KernelTable<decltype(cpu::PlaceChannels)> kernels{&cpu::PlaceChannels, BG_CUDA_KERNEL(PlaceChannels)};
  kernels.For(context.device(), op)(context.kernel(), y.view(), x.view(), rows, ChannelsOf(y.shape()),
                                    ChannelsOf(x.shape()), offset);
}

}  // namespace

Tensor PadChannels(Context& context, const Tensor& x, int64_t channels) {
  CheckOperand(context, kName, "x", x);
  if (x.shape().rank() < 1) throw InvalidArgument(kName, ": expected x of shape [..., c], got ", x.shape());
  const Shape from = x.shape();
  if (channels < ChannelsOf(from)) {
    throw InvalidArgument(kName, ": expected at least the channels of x ", from, ", got ", channels);
  }
  const int64_t before = PadChannelsBefore(ChannelsOf(from), channels);
  Tensor y = Empty(context, WithChannels(from, channels));
  Place(context, kName, y, x, before);
  RecordOp(context, {&x}, y, [from, before](Context& context, const Tensor& grad_y, GradientSink& sink) {
    const Tensor grad_x = Empty(context, from);
    Place(context, "pad_channels backward", grad_x, grad_y, -before);
    sink.Set(0, grad_x);
  });
  return y;
}

}  // namespace bitgate
