// What cuDNN's handles and descriptors hold here, and what its functions share.
#ifndef BITGATE_TOOLS_CUDA_EMULATOR_CUDNN_DESCRIPTORS_H_
#define BITGATE_TOOLS_CUDA_EMULATOR_CUDNN_DESCRIPTORS_H_

#include <cudnn.h>

#include <functional>
#include <initializer_list>

#include "tools/cuda_emulator/numbers.h"

// The opaque types of the library's headers.
struct cudnnContext {
  cudaStream_t stream = nullptr;
  int device = 0;
};

struct cudnnTensorStruct {
  cudnnDataType_t type = CUDNN_DATA_FLOAT;
  int dimensions = 0;
  int size[8] = {};
  int stride[8] = {};
};

struct cudnnFilterStruct {
  cudnnDataType_t type = CUDNN_DATA_FLOAT;
  cudnnTensorFormat_t format = CUDNN_TENSOR_NCHW;
  int dimensions = 0;
  int size[8] = {};
};

// Vertical, horizontal.
struct cudnnConvolutionStruct {
  int pad[2] = {0, 0};
  int stride[2] = {1, 1};
  int dilation[2] = {1, 1};
  cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
  cudnnDataType_t compute = CUDNN_DATA_FLOAT;
  int groups = 1;
  cudnnMathType_t math = CUDNN_DEFAULT_MATH;
};

namespace cuda_emulator {

// Returns `status`, and keeps the text for cudnnGetLastErrorString.
cudnnStatus_t Refuse(cudnnStatus_t status, const char* text);

// False for descriptors that were never set, of more than four dimensions, or of types that are not emulated.
bool ViewOf(const cudnnTensorStruct* descriptor, View* view);
bool ViewOf(const cudnnFilterStruct* descriptor, View* view);

// Whether the elements lie one behind another in that order; arrays can be both, with one channel or one pixel.
bool IsNhwc(const View& view);
bool IsNchw(const View& view);

// An array argument: it has to be in device memory as a whole.
struct Operand {
  const void* data;
  size_t bytes;
};

cudnnStatus_t RequireDeviceMemory(const Operand& operand);

// Queues `work` on the handle's stream.
cudnnStatus_t Submit(cudnnHandle_t handle, std::initializer_list<Operand> operands, std::function<void()> work);

}  // namespace cuda_emulator

#endif  // BITGATE_TOOLS_CUDA_EMULATOR_CUDNN_DESCRIPTORS_H_
