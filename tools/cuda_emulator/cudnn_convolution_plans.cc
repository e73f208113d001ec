#include "tools/cuda_emulator/cudnn_convolution_plans.h"

namespace cuda_emulator {
namespace {

constexpr size_t kTooMuch = size_t{1} << 40;

}  // namespace

bool OutputShape(const View& x, const View& w, const cudnnConvolutionStruct& descriptor, ConvolutionShape* shape) {
  *shape = {};
  shape->n = x.size[0];
  shape->c = x.size[1];
  shape->h = x.size[2];
  shape->w = x.size[3];
  shape->k = w.size[0];
  shape->r = w.size[2];
  shape->s = w.size[3];
  shape->groups = descriptor.groups;
  for (int i = 0; i < 2; ++i) {
    shape->pad[i] = descriptor.pad[i];
    shape->stride[i] = descriptor.stride[i];
    shape->dilation[i] = descriptor.dilation[i];
    const int64_t reach = x.size[2 + i] + 2 * descriptor.pad[i] - ((w.size[2 + i] - 1) * descriptor.dilation[i] + 1);
    if (reach < 0) return false;
    (i == 0 ? shape->out_h : shape->out_w) = reach / descriptor.stride[i] + 1;
  }
  return shape->c == w.size[1] * shape->groups && shape->k % shape->groups == 0;
}

cudnnStatus_t Describe(const cudnnTensorStruct* x, const cudnnFilterStruct* w, const cudnnConvolutionStruct* descriptor,
                       const cudnnTensorStruct* y, Convolution* convolution) {
  Convolution& result = *convolution;
  if (descriptor == nullptr || !ViewOf(x, &result.x) || !ViewOf(w, &result.w) || !ViewOf(y, &result.y)) {
    return Refuse(CUDNN_STATUS_BAD_PARAM, "emulated: four dimensions of float32 or bfloat16");
  }
  if (result.x.format != result.w.format || result.x.format != result.y.format) {
    return Refuse(CUDNN_STATUS_NOT_SUPPORTED_DATA_TYPE, "the arrays must be of one type");
  }
  if (descriptor->mode != CUDNN_CROSS_CORRELATION || descriptor->compute != CUDNN_DATA_FLOAT) {
    return Refuse(CUDNN_STATUS_NOT_SUPPORTED, "emulated: cross-correlation, computed in float32");
  }
  if (!OutputShape(result.x, result.w, *descriptor, &result.shape)) {
    return Refuse(CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH, "input and filter do not fit together");
  }
  const ConvolutionShape& shape = result.shape;
  const int64_t expected[4] = {shape.n, shape.k, shape.out_h, shape.out_w};
  for (int i = 0; i < 4; ++i) {
    if (result.y.size[i] != expected[i]) return Refuse(CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH, "the output's sizes");
  }
  const bool nhwc = w->format == CUDNN_TENSOR_NHWC;
  if (nhwc ? !IsNhwc(result.x) || !IsNhwc(result.y) : !IsNchw(result.x) || !IsNchw(result.y)) {
    return Refuse(CUDNN_STATUS_NOT_SUPPORTED_LAYOUT, "the tensors must be packed, in the filter's order");
  }
  result.math = descriptor->math;
  if (result.x.format == Format::kBfloat16 && result.math == CUDNN_FMA_MATH) {
    return Refuse(CUDNN_STATUS_NOT_SUPPORTED_DATA_TYPE, "bfloat16 needs the matrix units");
  }
  return CUDNN_STATUS_SUCCESS;
}

std::vector<Plan> Plans(Direction direction, const Convolution& convolution) {
  const cudnnStatus_t good = CUDNN_STATUS_SUCCESS;
  const cudnnDeterminism_t yes = CUDNN_DETERMINISTIC, no = CUDNN_NON_DETERMINISTIC;
  const bool wide = convolution.x.format == Format::kBfloat16;
  const cudnnMathType_t own = convolution.math;
  const cudnnMathType_t other = own == CUDNN_TENSOR_OP_MATH ? CUDNN_FMA_MATH : CUDNN_TENSOR_OP_MATH;
  const cudnnStatus_t other_status = wide && other == CUDNN_FMA_MATH ? CUDNN_STATUS_NOT_SUPPORTED : good;
  // Only for NCHW float32; and there with more memory than anybody has.
  const bool nhwc = !IsNchw(convolution.x) || !IsNchw(convolution.w);
  const cudnnStatus_t fft = nhwc || wide ? CUDNN_STATUS_NOT_SUPPORTED : good;
  const ConvolutionShape& shape = convolution.shape;
  const size_t workspace = 1024 + static_cast<size_t>(shape.n * shape.out_h * shape.out_w) * 4;
  switch (direction) {
    case Direction::kForward:
      return {{CUDNN_CONVOLUTION_FWD_ALGO_GEMM, good, workspace, no, own},
              {CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, other_status, workspace, yes, other},
              {CUDNN_CONVOLUTION_FWD_ALGO_FFT, fft, kTooMuch, yes, own},
              {CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, good, workspace, yes, own},
              {CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM, good, 0, yes, own}};
    case Direction::kBackwardData:
      return {{CUDNN_CONVOLUTION_BWD_DATA_ALGO_0, good, 0, no, own},
              {CUDNN_CONVOLUTION_BWD_DATA_ALGO_1, other_status, workspace, yes, other},
              {CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT, fft, kTooMuch, yes, own},
              {CUDNN_CONVOLUTION_BWD_DATA_ALGO_1, good, workspace, yes, own}};
    case Direction::kBackwardFilter:
      return {{CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0, good, 0, no, own},
              {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_3, good, workspace, no, own},
              {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1, other_status, workspace, yes, other},
              {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT, fft, kTooMuch, yes, own},
              {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1, good, workspace, yes, own}};
  }
  return {};
}

bool PlanOf(Direction direction, const Convolution& convolution, int algorithm, Plan* plan) {
  for (const Plan& offer : Plans(direction, convolution)) {
    if (offer.algorithm != algorithm || offer.math != convolution.math || offer.status != CUDNN_STATUS_SUCCESS)
      continue;
    *plan = offer;
    return true;
  }
  return false;
}

}  // namespace cuda_emulator
