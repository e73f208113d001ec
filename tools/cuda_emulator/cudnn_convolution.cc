// cuDNN's functions on convolutions.
#include <algorithm>
#include <cstring>

#include "tools/cuda_emulator/cudnn_convolution_plans.h"
#include "tools/cuda_emulator/cudnn_descriptors.h"

using cuda_emulator::Convolution;
using cuda_emulator::Describe;
using cuda_emulator::Direction;
using cuda_emulator::Plan;
using cuda_emulator::Refuse;
using cuda_emulator::View;

namespace {

// What an algorithm that is not deterministic counts its calls with.
uint64_t Turn(const Plan& plan) {
  static uint64_t calls = 0;
  return plan.determinism == CUDNN_DETERMINISTIC ? 0 : ++calls;
}

float Scale(const void* pointer) { return *static_cast<const float*>(pointer); }

// As the units that multiply see it.
std::vector<float> Read(const Convolution& convolution, const View& view, const void* data) {
  std::vector<float> values = Unpack(view, data);
  if (convolution.rounds_inputs()) {
    for (float& value : values) value = cuda_emulator::RoundToTf32(value);
  }
  return values;
}

template <class Performance>
cudnnStatus_t Offer(Direction direction, const Convolution& convolution, int requested, int* returned,
                    Performance* results) {
  if (requested < 1 || returned == nullptr || results == nullptr) {
    return Refuse(CUDNN_STATUS_BAD_PARAM, "no room for results");
  }
  *returned = 0;
  for (const Plan& plan : Plans(direction, convolution)) {
    if (*returned == requested) break;
    Performance& result = results[*returned];
    result = {};
    result.algo = static_cast<decltype(result.algo)>(plan.algorithm);
    result.status = plan.status;
    result.time = plan.status == CUDNN_STATUS_SUCCESS ? static_cast<float>(1 + *returned) : -1.0f;
    result.memory = plan.workspace;
    result.determinism = plan.determinism;
    result.mathType = plan.math;
    ++*returned;
  }
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t WorkspaceOf(Direction direction, const Convolution& convolution, int algorithm, size_t* bytes) {
  Plan plan;
  if (!PlanOf(direction, convolution, algorithm, &plan)) {
    return Refuse(CUDNN_STATUS_NOT_SUPPORTED, "the algorithm cannot do this convolution");
  }
  *bytes = plan.workspace;
  return CUDNN_STATUS_SUCCESS;
}

// Runs compute(turn), which returns what `result` gets in proportion alpha to beta.
template <class Compute>
cudnnStatus_t Run(cudnnHandle_t handle, Direction direction, const Convolution& convolution, int algorithm,
                  cuda_emulator::Operand workspace, std::initializer_list<cuda_emulator::Operand> operands,
                  const void* alpha, const void* beta, const View& view, void* result, const Compute& compute) {
  Plan plan;
  if (!PlanOf(direction, convolution, algorithm, &plan)) {
    return Refuse(CUDNN_STATUS_NOT_SUPPORTED, "the algorithm cannot do this convolution");
  }
  if (workspace.bytes < plan.workspace || (plan.workspace > 0 && workspace.data == nullptr)) {
    return Refuse(CUDNN_STATUS_BAD_PARAM, "the workspace is smaller than the algorithm's");
  }
  if (workspace.data == nullptr) workspace.bytes = 0;
  const cudnnStatus_t status = cuda_emulator::RequireDeviceMemory(workspace);
  if (status != CUDNN_STATUS_SUCCESS) return status;
  return Submit(handle, operands, [plan, workspace, view, result, compute, alpha = Scale(alpha), beta = Scale(beta)] {
    // All of it is the library's to use.
    if (workspace.bytes > 0) std::memset(const_cast<void*>(workspace.data), 0xff, workspace.bytes);
    Blend(view, result, compute(Turn(plan)), alpha, beta);
  });
}

}  // namespace

cudnnStatus_t cudnnGetConvolution2dForwardOutputDim(const cudnnConvolutionDescriptor_t descriptor,
                                                    const cudnnTensorDescriptor_t x, const cudnnFilterDescriptor_t w,
                                                    int* n, int* c, int* h, int* out_w) {
  View x_view, w_view;
  cuda_emulator::ConvolutionShape shape;
  if (descriptor == nullptr || !ViewOf(x, &x_view) || !ViewOf(w, &w_view) ||
      !OutputShape(x_view, w_view, *descriptor, &shape)) {
    return Refuse(CUDNN_STATUS_BAD_PARAM, "input and filter do not fit together");
  }
  *n = static_cast<int>(shape.n);
  *c = static_cast<int>(shape.k);
  *h = static_cast<int>(shape.out_h);
  *out_w = static_cast<int>(shape.out_w);
  return CUDNN_STATUS_SUCCESS;
}

// ---- forward ----

cudnnStatus_t cudnnGetConvolutionForwardAlgorithmMaxCount(cudnnHandle_t, int* count) {
  *count = CUDNN_CONVOLUTION_FWD_ALGO_COUNT;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetConvolutionForwardAlgorithm_v7(cudnnHandle_t, const cudnnTensorDescriptor_t x,
                                                     const cudnnFilterDescriptor_t w,
                                                     const cudnnConvolutionDescriptor_t descriptor,
                                                     const cudnnTensorDescriptor_t y, const int requested,
                                                     int* returned, cudnnConvolutionFwdAlgoPerf_t* results) {
  Convolution convolution;
  const cudnnStatus_t status = Describe(x, w, descriptor, y, &convolution);
  if (status != CUDNN_STATUS_SUCCESS) return status;
  return Offer(Direction::kForward, convolution, requested, returned, results);
}

cudnnStatus_t cudnnGetConvolutionForwardWorkspaceSize(cudnnHandle_t, const cudnnTensorDescriptor_t x,
                                                      const cudnnFilterDescriptor_t w,
                                                      const cudnnConvolutionDescriptor_t descriptor,
                                                      const cudnnTensorDescriptor_t y,
                                                      cudnnConvolutionFwdAlgo_t algorithm, size_t* bytes) {
  Convolution convolution;
  const cudnnStatus_t status = Describe(x, w, descriptor, y, &convolution);
  return status == CUDNN_STATUS_SUCCESS ? WorkspaceOf(Direction::kForward, convolution, algorithm, bytes) : status;
}

cudnnStatus_t cudnnConvolutionForward(cudnnHandle_t handle, const void* alpha,
                                      const cudnnTensorDescriptor_t x_descriptor, const void* x,
                                      const cudnnFilterDescriptor_t w_descriptor, const void* w,
                                      const cudnnConvolutionDescriptor_t descriptor,
                                      cudnnConvolutionFwdAlgo_t algorithm, void* workspace, size_t workspace_bytes,
                                      const void* beta, const cudnnTensorDescriptor_t y_descriptor, void* y) {
  Convolution convolution;
  const cudnnStatus_t status = Describe(x_descriptor, w_descriptor, descriptor, y_descriptor, &convolution);
  if (status != CUDNN_STATUS_SUCCESS) return status;
  return Run(handle, Direction::kForward, convolution, algorithm, {workspace, workspace_bytes},
             {{x, convolution.x.extent_bytes()}, {w, convolution.w.extent_bytes()}, {y, convolution.y.extent_bytes()}},
             alpha, beta, convolution.y, y, [convolution, x, w](uint64_t turn) {
               return ConvolutionForward(convolution.shape, Read(convolution, convolution.x, x),
                                         Read(convolution, convolution.w, w), turn);
             });
}

// ---- backward, data ----

cudnnStatus_t cudnnGetConvolutionBackwardDataAlgorithmMaxCount(cudnnHandle_t, int* count) {
  *count = CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetConvolutionBackwardDataAlgorithm_v7(cudnnHandle_t, const cudnnFilterDescriptor_t w,
                                                          const cudnnTensorDescriptor_t dy,
                                                          const cudnnConvolutionDescriptor_t descriptor,
                                                          const cudnnTensorDescriptor_t dx, const int requested,
                                                          int* returned, cudnnConvolutionBwdDataAlgoPerf_t* results) {
  Convolution convolution;
  const cudnnStatus_t status = Describe(dx, w, descriptor, dy, &convolution);
  if (status != CUDNN_STATUS_SUCCESS) return status;
  return Offer(Direction::kBackwardData, convolution, requested, returned, results);
}

cudnnStatus_t cudnnGetConvolutionBackwardDataWorkspaceSize(cudnnHandle_t, const cudnnFilterDescriptor_t w,
                                                           const cudnnTensorDescriptor_t dy,
                                                           const cudnnConvolutionDescriptor_t descriptor,
                                                           const cudnnTensorDescriptor_t dx,
                                                           cudnnConvolutionBwdDataAlgo_t algorithm, size_t* bytes) {
  Convolution convolution;
  const cudnnStatus_t status = Describe(dx, w, descriptor, dy, &convolution);
  return status == CUDNN_STATUS_SUCCESS ? WorkspaceOf(Direction::kBackwardData, convolution, algorithm, bytes) : status;
}

cudnnStatus_t cudnnConvolutionBackwardData(cudnnHandle_t handle, const void* alpha,
                                           const cudnnFilterDescriptor_t w_descriptor, const void* w,
                                           const cudnnTensorDescriptor_t dy_descriptor, const void* dy,
                                           const cudnnConvolutionDescriptor_t descriptor,
                                           cudnnConvolutionBwdDataAlgo_t algorithm, void* workspace,
                                           size_t workspace_bytes, const void* beta,
                                           const cudnnTensorDescriptor_t dx_descriptor, void* dx) {
  Convolution convolution;
  const cudnnStatus_t status = Describe(dx_descriptor, w_descriptor, descriptor, dy_descriptor, &convolution);
  if (status != CUDNN_STATUS_SUCCESS) return status;
  return Run(
      handle, Direction::kBackwardData, convolution, algorithm, {workspace, workspace_bytes},
      {{w, convolution.w.extent_bytes()}, {dy, convolution.y.extent_bytes()}, {dx, convolution.x.extent_bytes()}},
      alpha, beta, convolution.x, dx, [convolution, w, dy](uint64_t turn) {
        return ConvolutionBackwardData(convolution.shape, Read(convolution, convolution.w, w),
                                       Read(convolution, convolution.y, dy), turn);
      });
}

// ---- backward, filter ----

cudnnStatus_t cudnnGetConvolutionBackwardFilterAlgorithmMaxCount(cudnnHandle_t, int* count) {
  *count = CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetConvolutionBackwardFilterAlgorithm_v7(cudnnHandle_t, const cudnnTensorDescriptor_t x,
                                                            const cudnnTensorDescriptor_t dy,
                                                            const cudnnConvolutionDescriptor_t descriptor,
                                                            const cudnnFilterDescriptor_t dw, const int requested,
                                                            int* returned,
                                                            cudnnConvolutionBwdFilterAlgoPerf_t* results) {
  Convolution convolution;
  const cudnnStatus_t status = Describe(x, dw, descriptor, dy, &convolution);
  if (status != CUDNN_STATUS_SUCCESS) return status;
  return Offer(Direction::kBackwardFilter, convolution, requested, returned, results);
}

cudnnStatus_t cudnnGetConvolutionBackwardFilterWorkspaceSize(cudnnHandle_t, const cudnnTensorDescriptor_t x,
                                                             const cudnnTensorDescriptor_t dy,
                                                             const cudnnConvolutionDescriptor_t descriptor,
                                                             const cudnnFilterDescriptor_t dw,
                                                             cudnnConvolutionBwdFilterAlgo_t algorithm, size_t* bytes) {
  Convolution convolution;
  const cudnnStatus_t status = Describe(x, dw, descriptor, dy, &convolution);
  return status == CUDNN_STATUS_SUCCESS ? WorkspaceOf(Direction::kBackwardFilter, convolution, algorithm, bytes)
                                        : status;
}

cudnnStatus_t cudnnConvolutionBackwardFilter(cudnnHandle_t handle, const void* alpha,
                                             const cudnnTensorDescriptor_t x_descriptor, const void* x,
                                             const cudnnTensorDescriptor_t dy_descriptor, const void* dy,
                                             const cudnnConvolutionDescriptor_t descriptor,
                                             cudnnConvolutionBwdFilterAlgo_t algorithm, void* workspace,
                                             size_t workspace_bytes, const void* beta,
                                             const cudnnFilterDescriptor_t dw_descriptor, void* dw) {
  Convolution convolution;
  const cudnnStatus_t status = Describe(x_descriptor, dw_descriptor, descriptor, dy_descriptor, &convolution);
  if (status != CUDNN_STATUS_SUCCESS) return status;
  return Run(
      handle, Direction::kBackwardFilter, convolution, algorithm, {workspace, workspace_bytes},
      {{x, convolution.x.extent_bytes()}, {dy, convolution.y.extent_bytes()}, {dw, convolution.w.extent_bytes()}},
      alpha, beta, convolution.w, dw, [convolution, x, dy](uint64_t turn) {
        return ConvolutionBackwardFilter(convolution.shape, Read(convolution, convolution.x, x),
                                         Read(convolution, convolution.y, dy), turn);
      });
}
