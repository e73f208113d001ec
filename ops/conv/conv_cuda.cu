#include <algorithm>

#include "ops/conv/conv_kernels.h"
#include "ops/conv/conv_plan_cuda.h"
#include "ops/conv/conv_steps_cuda.h"
#include "ops/reduce/reduce_kernels.h"
#include "runtime/device/cuda_check.h"
#include "runtime/device/cuda_library.h"
#include "runtime/kernel/cuda_launch.h"
#include "runtime/kernel/cuda_pack.h"

namespace bitgate {
namespace cuda {
namespace {

constexpr size_t kAlignment = 256;            // of parts of the workspace
constexpr size_t kOperandAlignment = 16;      // that cuDNN's fast kernels count on
constexpr int64_t kMaxElements = 0x7fffffff;  // of a tensor of cuDNN's

std::shared_ptr<ConvPlan> FindPlan(KernelContext& context, const Cudnn& cudnn, const ConvProblem& problem) {
  const Conv2dParams& params = problem.params;
  PlanKey key("conv2d cudnn", {static_cast<int64_t>(problem.direction), static_cast<int64_t>(problem.compute),
                               params.groups, params.stride[0], params.stride[1], params.padding[0], params.padding[1],
                               problem.w[0], problem.w[1], problem.w[2]});
  for (const int64_t dimension : problem.x) key.Append(dimension);
  return context.plans.Get<ConvPlan>(key, [&] {
    RefuseInCapture(context.stream, "the first convolution of its shape");
    return std::make_shared<ConvPlan>(cudnn, problem);
  });
}

// An operand, or the result, as the library wants it: where it is already, or moved into the workspace.
struct Place {
  Place(ConstView view, bool bfloat16) : data(const_cast<void*>(view.data)), size(view.shape.size()) {
    moved = bfloat16 || !IsAligned(data, kOperandAlignment);
    const size_t bytes = static_cast<size_t>(size) * (bfloat16 ? sizeof(Bfloat16) : sizeof(float));
    if (moved) moved_bytes = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  }
  // Takes its part of the workspace, if it needs one; returns what is left.
  char* MoveTo(char* workspace) {
    if (moved) data = workspace;
    return workspace + moved_bytes;
  }

  void* data;
  int64_t size;
  bool moved;
  size_t moved_bytes = 0;
};

void MoveIn(const Stream& stream, bool bfloat16, ConstView first, const Place& to_first, ConstView second,
            const Place& to_second) {
  if (bfloat16) {
    RoundToBfloat16(stream, {first.As(), static_cast<Bfloat16*>(to_first.data), to_first.size},
                    {second.As(), static_cast<Bfloat16*>(to_second.data), to_second.size});
    return;
  }
  const auto copy = [&](ConstView from, const Place& to) {
    if (!to.moved) return;
    BG_CHECK_CUDA(cudaMemcpyAsync(to.data, from.data, static_cast<size_t>(to.size) * sizeof(float),
                                  cudaMemcpyDeviceToDevice, CudaStream(stream)));
  };
  copy(first, to_first);
  copy(second, to_second);
}

// result = finish(the problem's convolution of first and second); false, with the result undefined, when cuDNN refuses.
bool RunPlan(KernelContext& context, const ConvProblem& problem, ConstView first, ConstView second, View result,
             const Finish& finish) {
  const Cudnn& cudnn = UseCudnn(context);
  const auto plan = FindPlan(context, cudnn, problem);
  const bool bfloat16 = problem.compute == Compute::kBfloat16;
  while (!plan->exhausted()) {
    Place a(first, bfloat16), b(second, bfloat16), y(result, bfloat16);
    const size_t moved_bytes = a.moved_bytes + b.moved_bytes + y.moved_bytes;
    char* workspace = static_cast<char*>(context.workspace.Get(moved_bytes + plan->workspace_bytes()));
    workspace = y.MoveTo(b.MoveTo(a.MoveTo(workspace)));
    MoveIn(context.stream, bfloat16, first, a, second, b);
    const bool add_there = finish.add && !y.moved;
    if (!plan->Run(cudnn, a.data, b.data, y.data, add_there ? 1.0f : 0.0f, workspace)) continue;
    Finish rest = finish;
    rest.add = finish.add && y.moved;
    const int64_t channels = result.shape[3];
    if (bfloat16) {
      FinishResult(context.stream, result.As(), static_cast<const Bfloat16*>(y.data), y.size, channels, rest);
    } else if (y.moved || rest.bias != nullptr || rest.relu) {
      FinishResult(context.stream, result.As(), static_cast<const float*>(y.data), y.size, channels, rest);
    }
    return true;
  }
  return false;
}

// As asked for, or in float32 if cuDNN cannot.
bool RunSomehow(KernelContext& context, ConvProblem problem, ConstView first, ConstView second, View result,
                const Finish& finish) {
  if (RunPlan(context, problem, first, second, result, finish)) return true;
  if (problem.compute == Compute::kFloat32) return false;
  problem.compute = Compute::kFloat32;
  return RunPlan(context, problem, first, second, result, finish);
}

template <class AnyView>
AnyView Images(AnyView view, int64_t begin, int64_t count) {
  const Shape& s = view.shape;
  const int64_t size = s[1] * s[2] * s[3];
  return {view.template As<float>() + begin * size, Shape{count, s[1], s[2], s[3]}, view.dtype};
}

// Calls run(first image, number of images, x and y of that many) for parts of the batch that cuDNN can count the
// elements of: mostly for all at once. Stops and returns false when a call does, and when an image is too large.
template <class RunPart>
bool ForPartsOfBatch(const Shape& x, const Shape& y, const RunPart& run) {
  const int64_t images = x[0], largest = std::max(x.size(), y.size()) / images;
  int64_t most = kMaxElements / largest;
  if (most == 0) return false;
  if (most < images && most >= 4) most -= most % 4;  // so that the parts are as aligned as the whole
  for (int64_t begin = 0; begin < images; begin += most) {
    if (!run(begin, std::min(most, images - begin))) return false;
  }
  return true;
}

}  // namespace

void Conv2dForward(KernelContext& context, View y, ConstView x, ConstView w, ConstView bias,
                   const Conv2dParams& params) {
  Finish finish;
  finish.bias = bias.As();
  finish.relu = params.activation == Activation::kRelu;
  const bool done = ForPartsOfBatch(x.shape, y.shape, [&](int64_t begin, int64_t count) {
    const View y_part = Images(y, begin, count);
    const ConstView x_part = Images(x, begin, count);
    return RunSomehow(context, {Direction::kForward, context.compute, x_part.shape, w.shape, y_part.shape, params},
                      x_part, w, y_part, finish);
  });
  if (done) return;
  Conv2dForwardDirect(context, y, x, w, params);
  FinishResult(context.stream, y.As(), y.As(), y.shape.size(), y.shape[3], finish);
}

namespace {

void BackwardData(KernelContext& context, View grad_x, ConstView grad_y, ConstView w, const Conv2dParams& params) {
  const bool done = ForPartsOfBatch(grad_x.shape, grad_y.shape, [&](int64_t begin, int64_t count) {
    const View x_part = Images(grad_x, begin, count);
    const ConstView y_part = Images(grad_y, begin, count);
    return RunSomehow(context, {Direction::kBackwardData, context.compute, x_part.shape, w.shape, y_part.shape, params},
                      y_part, w, x_part, Finish());
  });
  if (!done) Conv2dBackwardDataDirect(context, grad_x, grad_y, w, params);
}

void BackwardWeights(KernelContext& context, View grad_w, View grad_bias, ConstView grad_y, ConstView x,
                     const Conv2dParams& params) {
  const bool done = ForPartsOfBatch(x.shape, grad_y.shape, [&](int64_t begin, int64_t count) {
    const ConstView x_part = Images(x, begin, count), y_part = Images(grad_y, begin, count);
    Finish finish;
    finish.add = begin > 0;
    return RunSomehow(context,
                      {Direction::kBackwardWeights, context.compute, x_part.shape, grad_w.shape, y_part.shape, params},
                      y_part, x_part, grad_w, finish);
  });
  if (!done) Conv2dBackwardWeightsDirect(context, grad_w, grad_y, x, params);
  if (grad_bias.data == nullptr) return;
  const int64_t channels = grad_y.shape[3];
  SumRows(context, grad_bias, grad_y, grad_y.shape.size() / channels, channels);
}

}  // namespace

void Conv2dBackward(KernelContext& context, View grad_x, View grad_w, View grad_bias, ConstView grad_y, ConstView x,
                    ConstView w, const Conv2dParams& params) {
  if (grad_x.data != nullptr) BackwardData(context, grad_x, grad_y, w, params);
  if (grad_w.data != nullptr) BackwardWeights(context, grad_w, grad_bias, grad_y, x, params);
}

}  // namespace cuda
}  // namespace bitgate
