// cuDNN, opened when a kernel needs it first. For .cu files only.
#ifndef BITGATE_RUNTIME_DEVICE_CUDNN_H_
#define BITGATE_RUNTIME_DEVICE_CUDNN_H_

#include <cudnn.h>

#include "runtime/device/kernel_context.h"

namespace bitgate {
namespace cuda {

// What we call of it.
#define BG_CUDNN_FUNCTIONS(F)                       \
  F(cudnnGetVersion)                                \
  F(cudnnGetErrorString)                            \
  F(cudnnCreate)                                    \
  F(cudnnDestroy)                                   \
  F(cudnnSetStream)                                 \
  F(cudnnCreateTensorDescriptor)                    \
  F(cudnnSetTensor4dDescriptor)                     \
  F(cudnnDestroyTensorDescriptor)                   \
  F(cudnnCreateFilterDescriptor)                    \
  F(cudnnSetFilter4dDescriptor)                     \
  F(cudnnDestroyFilterDescriptor)                   \
  F(cudnnCreateConvolutionDescriptor)               \
  F(cudnnSetConvolution2dDescriptor)                \
  F(cudnnSetConvolutionGroupCount)                  \
  F(cudnnSetConvolutionMathType)                    \
  F(cudnnDestroyConvolutionDescriptor)              \
  F(cudnnGetConvolutionForwardAlgorithm_v7)         \
  F(cudnnGetConvolutionForwardWorkspaceSize)        \
  F(cudnnConvolutionForward)                        \
  F(cudnnGetConvolutionBackwardDataAlgorithm_v7)    \
  F(cudnnGetConvolutionBackwardDataWorkspaceSize)   \
  F(cudnnConvolutionBackwardData)                   \
  F(cudnnGetConvolutionBackwardFilterAlgorithm_v7)  \
  F(cudnnGetConvolutionBackwardFilterWorkspaceSize) \
  F(cudnnConvolutionBackwardFilter)

struct CudnnFunctions {
#define BG_MEMBER(name) decltype(&::name) name;
  BG_CUDNN_FUNCTIONS(BG_MEMBER)
#undef BG_MEMBER
};

// Throws UnsupportedDevice, saying what was tried, when the library is not found or too old.
const CudnnFunctions& LoadCudnn();

// The version of the library, 0 while nothing has opened it.
size_t OpenedCudnnVersion();

// The library's handle of one context.
class Cudnn {
 public:
  Cudnn();
  ~Cudnn();
  Cudnn(const Cudnn&) = delete;
  Cudnn& operator=(const Cudnn&) = delete;

  const CudnnFunctions& api;
  cudnnHandle_t handle = nullptr;
};

// The context's handle, on its stream. Throws NotCapturable when it would be made inside a capture.
Cudnn& UseCudnn(KernelContext& context);

// Throws Internal, quoting the expression and the library's text.
void CheckCudnn(cudnnStatus_t status, const char* expression);

}  // namespace cuda
}  // namespace bitgate

#define BG_CHECK_CUDNN(expression) ::bitgate::cuda::CheckCudnn((expression), #expression)

#endif  // BITGATE_RUNTIME_DEVICE_CUDNN_H_
