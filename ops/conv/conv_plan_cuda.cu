#include <limits>

#include "ops/conv/conv_plan_cuda.h"
#include "runtime/base/error.h"

namespace bitgate {
namespace cuda {
namespace {

constexpr size_t kMaxWorkspaceBytes = size_t{256} << 20;

// Of a computation that the library does not do, as against a call that failed.
bool IsRefusal(cudnnStatus_t status) { return CUDNN_STATUS_CATEGORY(status) == CUDNN_STATUS_NOT_SUPPORTED; }

int ToInt(int64_t value) {
  if (value > std::numeric_limits<int>::max()) throw Internal("conv2d: expected a dimension below 2^31, got ", value);
  return static_cast<int>(value);
}

// What the library is asked for. Not ..._ALLOW_CONVERSION ever: that would be float16.
cudnnMathType_t MathToAskFor(Compute compute) {
  switch (compute) {
    case Compute::kTf32:
      return CUDNN_DEFAULT_MATH;  // which allows TF32
    case Compute::kBfloat16:
      return CUDNN_TENSOR_OP_MATH;
    case Compute::kFloat32:
      break;
  }
  return CUDNN_FMA_MATH;
}

// Whether an offer of the library is within what was asked for, and the math to run it with.
bool Accept(Compute compute, cudnnMathType_t* math) {
  if (*math == CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION) return false;
  if (compute != Compute::kFloat32) return true;
  if (*math == CUDNN_TENSOR_OP_MATH) return false;
  *math = CUDNN_FMA_MATH;  // whatever the default means here, it must not be TF32
  return true;
}

}  // namespace

// ---- the library's three families of functions ----
//
// kLastResorts: those that the documentation calls deterministic and general.

struct ConvPlan::Forward {
  using Algorithm = cudnnConvolutionFwdAlgo_t;
  using Offer = cudnnConvolutionFwdAlgoPerf_t;
  static constexpr int kAlgorithms = CUDNN_CONVOLUTION_FWD_ALGO_COUNT;
  static constexpr Algorithm kLastResorts[] = {CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM,
                                               CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM};

  static cudnnStatus_t Find(const ConvPlan& p, cudnnHandle_t handle, int count, int* found, Offer* offers) {
    return p.api_.cudnnGetConvolutionForwardAlgorithm_v7(handle, p.x_, p.w_, p.convolution_, p.y_, count, found,
                                                         offers);
  }
  static cudnnStatus_t Workspace(const ConvPlan& p, cudnnHandle_t handle, Algorithm algorithm, size_t* bytes) {
    return p.api_.cudnnGetConvolutionForwardWorkspaceSize(handle, p.x_, p.w_, p.convolution_, p.y_, algorithm, bytes);
  }
  static cudnnStatus_t Run(const ConvPlan& p, cudnnHandle_t handle, const Attempt& a, const void* x, const void* w,
                           void* y, const float* one, const float* beta, void* workspace) {
    return p.api_.cudnnConvolutionForward(handle, one, p.x_, x, p.w_, w, p.convolution_,
                                          static_cast<Algorithm>(a.algorithm), workspace, a.workspace_bytes, beta, p.y_,
                                          y);
  }
};

struct ConvPlan::BackwardData {
  using Algorithm = cudnnConvolutionBwdDataAlgo_t;
  using Offer = cudnnConvolutionBwdDataAlgoPerf_t;
  static constexpr int kAlgorithms = CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT;
  static constexpr Algorithm kLastResorts[] = {CUDNN_CONVOLUTION_BWD_DATA_ALGO_1};

  static cudnnStatus_t Find(const ConvPlan& p, cudnnHandle_t handle, int count, int* found, Offer* offers) {
    return p.api_.cudnnGetConvolutionBackwardDataAlgorithm_v7(handle, p.w_, p.y_, p.convolution_, p.x_, count, found,
                                                              offers);
  }
  static cudnnStatus_t Workspace(const ConvPlan& p, cudnnHandle_t handle, Algorithm algorithm, size_t* bytes) {
    return p.api_.cudnnGetConvolutionBackwardDataWorkspaceSize(handle, p.w_, p.y_, p.convolution_, p.x_, algorithm,
                                                               bytes);
  }
  static cudnnStatus_t Run(const ConvPlan& p, cudnnHandle_t handle, const Attempt& a, const void* grad_y, const void* w,
                           void* grad_x, const float* one, const float* beta, void* workspace) {
    return p.api_.cudnnConvolutionBackwardData(handle, one, p.w_, w, p.y_, grad_y, p.convolution_,
                                               static_cast<Algorithm>(a.algorithm), workspace, a.workspace_bytes, beta,
                                               p.x_, grad_x);
  }
};

struct ConvPlan::BackwardWeights {
  using Algorithm = cudnnConvolutionBwdFilterAlgo_t;
  using Offer = cudnnConvolutionBwdFilterAlgoPerf_t;
  static constexpr int kAlgorithms = CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT;
  static constexpr Algorithm kLastResorts[] = {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1};

  static cudnnStatus_t Find(const ConvPlan& p, cudnnHandle_t handle, int count, int* found, Offer* offers) {
    return p.api_.cudnnGetConvolutionBackwardFilterAlgorithm_v7(handle, p.x_, p.y_, p.convolution_, p.w_, count, found,
                                                                offers);
  }
  static cudnnStatus_t Workspace(const ConvPlan& p, cudnnHandle_t handle, Algorithm algorithm, size_t* bytes) {
    return p.api_.cudnnGetConvolutionBackwardFilterWorkspaceSize(handle, p.x_, p.y_, p.convolution_, p.w_, algorithm,
                                                                 bytes);
  }
  static cudnnStatus_t Run(const ConvPlan& p, cudnnHandle_t handle, const Attempt& a, const void* grad_y, const void* x,
                           void* grad_w, const float* one, const float* beta, void* workspace) {
    return p.api_.cudnnConvolutionBackwardFilter(handle, one, p.x_, x, p.y_, grad_y, p.convolution_,
                                                 static_cast<Algorithm>(a.algorithm), workspace, a.workspace_bytes,
                                                 beta, p.w_, grad_w);
  }
};

// ---- the plan ----

ConvPlan::ConvPlan(const Cudnn& cudnn, const ConvProblem& problem)
    : api_(cudnn.api),
      direction_(problem.direction),
      x_(api_.cudnnDestroyTensorDescriptor),
      y_(api_.cudnnDestroyTensorDescriptor),
      w_(api_.cudnnDestroyFilterDescriptor),
      convolution_(api_.cudnnDestroyConvolutionDescriptor) {
  MakeDescriptors(problem);
  switch (direction_) {
    case Direction::kForward:
      FindAlgorithms<Forward>(cudnn.handle, problem.compute);
      break;
    case Direction::kBackwardData:
      FindAlgorithms<BackwardData>(cudnn.handle, problem.compute);
      break;
    case Direction::kBackwardWeights:
      FindAlgorithms<BackwardWeights>(cudnn.handle, problem.compute);
      break;
  }
}

void ConvPlan::MakeDescriptors(const ConvProblem& problem) {
  const cudnnDataType_t type = problem.compute == Compute::kBfloat16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
  BG_CHECK_CUDNN(api_.cudnnCreateTensorDescriptor(x_.address()));
  BG_CHECK_CUDNN(api_.cudnnCreateTensorDescriptor(y_.address()));
  BG_CHECK_CUDNN(api_.cudnnCreateFilterDescriptor(w_.address()));
  BG_CHECK_CUDNN(api_.cudnnCreateConvolutionDescriptor(convolution_.address()));
  const auto set_images = [&](cudnnTensorDescriptor_t images, const Shape& s) {
    BG_CHECK_CUDNN(api_.cudnnSetTensor4dDescriptor(images, CUDNN_TENSOR_NHWC, type, ToInt(s[0]), ToInt(s[3]),
                                                   ToInt(s[1]), ToInt(s[2])));
  };
  set_images(x_, problem.x);
  set_images(y_, problem.y);
  const Shape& w = problem.w;
  BG_CHECK_CUDNN(
      api_.cudnnSetFilter4dDescriptor(w_, type, CUDNN_TENSOR_NHWC, ToInt(w[0]), ToInt(w[3]), ToInt(w[1]), ToInt(w[2])));
  const Conv2dParams& p = problem.params;
  BG_CHECK_CUDNN(api_.cudnnSetConvolution2dDescriptor(
      convolution_, ToInt(p.padding[0]), ToInt(p.padding[1]), ToInt(p.stride[0]), ToInt(p.stride[1]), /*dilation_h=*/1,
      /*dilation_w=*/1, CUDNN_CROSS_CORRELATION, /*computeType=*/CUDNN_DATA_FLOAT));
  BG_CHECK_CUDNN(api_.cudnnSetConvolutionGroupCount(convolution_, ToInt(p.groups)));
  BG_CHECK_CUDNN(api_.cudnnSetConvolutionMathType(convolution_, MathToAskFor(problem.compute)));
}

template <class Kind>
void ConvPlan::FindAlgorithms(cudnnHandle_t handle, Compute compute) {
  // What an algorithm needs is asked for with the math that it is to run with; an offer may be no more than a guess.
  const auto consider = [&](typename Kind::Algorithm algorithm, cudnnMathType_t math) {
    BG_CHECK_CUDNN(api_.cudnnSetConvolutionMathType(convolution_, math));
    size_t bytes = 0;
    if (Kind::Workspace(*this, handle, algorithm, &bytes) != CUDNN_STATUS_SUCCESS) return;
    if (bytes <= kMaxWorkspaceBytes) attempts_.push_back({static_cast<int>(algorithm), math, bytes});
  };
  constexpr int kMaxOffers = 2 * Kind::kAlgorithms;  // each of them with and without tensor cores
  typename Kind::Offer offers[kMaxOffers] = {};
  int count = 0;
  const cudnnStatus_t status = Kind::Find(*this, handle, kMaxOffers, &count, offers);
  if (IsRefusal(status) || CUDNN_STATUS_CATEGORY(status) == CUDNN_STATUS_BAD_PARAM) {
    count = 0;  // it has no advice; what is documented to work is tried all the same
  } else {
    BG_CHECK_CUDNN(status);
  }
  for (int i = 0; i < count; ++i) {
    cudnnMathType_t math = offers[i].mathType;
    if (offers[i].status != CUDNN_STATUS_SUCCESS || offers[i].determinism != CUDNN_DETERMINISTIC) continue;
    if (Accept(compute, &math)) consider(offers[i].algo, math);
  }
  for (const auto algorithm : Kind::kLastResorts) consider(algorithm, MathToAskFor(compute));
  if (!exhausted()) BG_CHECK_CUDNN(api_.cudnnSetConvolutionMathType(convolution_, attempts_[current_].math));
}

bool ConvPlan::Run(const Cudnn& cudnn, const void* first, const void* second, void* result, float beta,
                   void* workspace) {
  const float one = 1;
  const auto run = [&](auto kind) {
    return decltype(kind)::Run(*this, cudnn.handle, attempts_[current_], first, second, result, &one, &beta, workspace);
  };
  const cudnnStatus_t status = direction_ == Direction::kForward        ? run(Forward())
                               : direction_ == Direction::kBackwardData ? run(BackwardData())
                                                                        : run(BackwardWeights());
  if (IsRefusal(status)) {
    ++current_;
    if (!exhausted()) BG_CHECK_CUDNN(api_.cudnnSetConvolutionMathType(convolution_, attempts_[current_].math));
    return false;
  }
  BG_CHECK_CUDNN(status);
  return true;
}

}  // namespace cuda
}  // namespace bitgate
