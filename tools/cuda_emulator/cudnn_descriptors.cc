#include "tools/cuda_emulator/cudnn_descriptors.h"

#include <algorithm>

namespace cuda_emulator {
namespace {

bool FormatOf(cudnnDataType_t type, Format* format) {
  *format = type == CUDNN_DATA_BFLOAT16 ? Format::kBfloat16 : Format::kFloat32;
  return type == CUDNN_DATA_FLOAT || type == CUDNN_DATA_BFLOAT16;
}

// Whether going through the dimensions in this order, from the innermost, goes through memory without a gap.
bool IsPacked(const View& view, const int (&order)[4]) {
  int64_t expected = 1;
  for (const int i : order) {
    if (view.size[i] != 1 && view.stride[i] != expected) return false;
    expected *= view.size[i];
  }
  return true;
}

// Strides of a packed array of `dimensions` >= 3: batch, channels, space.
void Pack(cudnnTensorFormat_t format, int dimensions, const int* size, int* stride) {
  int next = 1;
  if (format == CUDNN_TENSOR_NHWC) {
    stride[1] = 1;
    next = size[1];
  }
  for (int i = dimensions - 1; i >= 2; --i) {
    stride[i] = next;
    next *= size[i];
  }
  if (format != CUDNN_TENSOR_NHWC) {
    stride[1] = next;
    next *= size[1];
  }
  stride[0] = next;
}

bool ArePositive(const int* numbers, int count) {
  return std::all_of(numbers, numbers + count, [](int number) { return number > 0; });
}

}  // namespace

bool ViewOf(const cudnnTensorStruct* descriptor, View* view) {
  if (descriptor == nullptr || descriptor->dimensions < 3 || descriptor->dimensions > 4) return false;
  *view = {};
  for (int i = 0; i < descriptor->dimensions; ++i) {
    view->size[i] = descriptor->size[i];
    view->stride[i] = descriptor->stride[i];
  }
  return FormatOf(descriptor->type, &view->format);
}

bool ViewOf(const cudnnFilterStruct* descriptor, View* view) {
  if (descriptor == nullptr || descriptor->dimensions != 4) return false;
  int stride[8];
  Pack(descriptor->format, 4, descriptor->size, stride);
  *view = {};
  for (int i = 0; i < 4; ++i) {
    view->size[i] = descriptor->size[i];
    view->stride[i] = stride[i];
  }
  return FormatOf(descriptor->type, &view->format);
}

bool IsNhwc(const View& view) { return IsPacked(view, {1, 3, 2, 0}); }
bool IsNchw(const View& view) { return IsPacked(view, {3, 2, 1, 0}); }

}  // namespace cuda_emulator

using cuda_emulator::ArePositive;
using cuda_emulator::Pack;
using cuda_emulator::Refuse;

namespace {

template <class Descriptor>
cudnnStatus_t Create(Descriptor** descriptor) {
  *descriptor = new Descriptor;
  return CUDNN_STATUS_SUCCESS;
}

template <class Descriptor>
cudnnStatus_t Destroy(Descriptor* descriptor) {
  delete descriptor;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t NotPositive() { return Refuse(CUDNN_STATUS_BAD_PARAM, "sizes and strides must be positive"); }

}  // namespace

// ---- tensors ----

cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t* descriptor) { return Create(descriptor); }
cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t descriptor) { return Destroy(descriptor); }

cudnnStatus_t cudnnSetTensorNdDescriptor(cudnnTensorDescriptor_t descriptor, cudnnDataType_t type, int dimensions,
                                         const int size[], const int stride[]) {
  if (descriptor == nullptr || dimensions < 3 || dimensions > 8) {
    return Refuse(CUDNN_STATUS_BAD_PARAM, "a tensor has 3 to 8 dimensions");
  }
  if (!ArePositive(size, dimensions) || !ArePositive(stride, dimensions)) return NotPositive();
  descriptor->type = type;
  descriptor->dimensions = dimensions;
  std::copy(size, size + dimensions, descriptor->size);
  std::copy(stride, stride + dimensions, descriptor->stride);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetTensorNdDescriptorEx(cudnnTensorDescriptor_t descriptor, cudnnTensorFormat_t format,
                                           cudnnDataType_t type, int dimensions, const int size[]) {
  if (dimensions < 3 || dimensions > 8) return Refuse(CUDNN_STATUS_BAD_PARAM, "a tensor has 3 to 8 dimensions");
  int stride[8];
  Pack(format, dimensions, size, stride);
  return cudnnSetTensorNdDescriptor(descriptor, type, dimensions, size, stride);
}

cudnnStatus_t cudnnSetTensor4dDescriptor(cudnnTensorDescriptor_t descriptor, cudnnTensorFormat_t format,
                                         cudnnDataType_t type, int n, int c, int h, int w) {
  const int size[] = {n, c, h, w};
  return cudnnSetTensorNdDescriptorEx(descriptor, format, type, 4, size);
}

cudnnStatus_t cudnnSetTensor4dDescriptorEx(cudnnTensorDescriptor_t descriptor, cudnnDataType_t type, int n, int c,
                                           int h, int w, int n_stride, int c_stride, int h_stride, int w_stride) {
  const int size[] = {n, c, h, w}, stride[] = {n_stride, c_stride, h_stride, w_stride};
  return cudnnSetTensorNdDescriptor(descriptor, type, 4, size, stride);
}

cudnnStatus_t cudnnGetTensorSizeInBytes(const cudnnTensorDescriptor_t descriptor, size_t* bytes) {
  cuda_emulator::View view;
  if (!ViewOf(descriptor, &view)) return Refuse(CUDNN_STATUS_BAD_PARAM, "not a tensor");
  *bytes = view.extent_bytes();
  return CUDNN_STATUS_SUCCESS;
}

// ---- filters ----

cudnnStatus_t cudnnCreateFilterDescriptor(cudnnFilterDescriptor_t* descriptor) { return Create(descriptor); }
cudnnStatus_t cudnnDestroyFilterDescriptor(cudnnFilterDescriptor_t descriptor) { return Destroy(descriptor); }

cudnnStatus_t cudnnSetFilterNdDescriptor(cudnnFilterDescriptor_t descriptor, cudnnDataType_t type,
                                         cudnnTensorFormat_t format, int dimensions, const int size[]) {
  if (descriptor == nullptr || dimensions < 3 || dimensions > 8) {
    return Refuse(CUDNN_STATUS_BAD_PARAM, "a filter has 3 to 8 dimensions");
  }
  if (!ArePositive(size, dimensions)) return NotPositive();
  if (format != CUDNN_TENSOR_NCHW && format != CUDNN_TENSOR_NHWC) {
    return Refuse(CUDNN_STATUS_NOT_SUPPORTED, "a filter is NCHW or NHWC");
  }
  descriptor->type = type;
  descriptor->format = format;
  descriptor->dimensions = dimensions;
  std::copy(size, size + dimensions, descriptor->size);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetFilter4dDescriptor(cudnnFilterDescriptor_t descriptor, cudnnDataType_t type,
                                         cudnnTensorFormat_t format, int k, int c, int h, int w) {
  const int size[] = {k, c, h, w};
  return cudnnSetFilterNdDescriptor(descriptor, type, format, 4, size);
}

// ---- convolutions ----

cudnnStatus_t cudnnCreateConvolutionDescriptor(cudnnConvolutionDescriptor_t* descriptor) { return Create(descriptor); }
cudnnStatus_t cudnnDestroyConvolutionDescriptor(cudnnConvolutionDescriptor_t descriptor) { return Destroy(descriptor); }

cudnnStatus_t cudnnSetConvolutionNdDescriptor(cudnnConvolutionDescriptor_t descriptor, int length, const int pad[],
                                              const int stride[], const int dilation[], cudnnConvolutionMode_t mode,
                                              cudnnDataType_t compute) {
  if (descriptor == nullptr) return Refuse(CUDNN_STATUS_BAD_PARAM, "the descriptor is null");
  if (length != 2) return Refuse(CUDNN_STATUS_NOT_SUPPORTED, "emulated: two dimensions");
  if (!ArePositive(stride, 2) || !ArePositive(dilation, 2)) return NotPositive();
  if (pad[0] < 0 || pad[1] < 0) return Refuse(CUDNN_STATUS_BAD_PARAM, "padding must not be negative");
  for (int i = 0; i < 2; ++i) {
    descriptor->pad[i] = pad[i];
    descriptor->stride[i] = stride[i];
    descriptor->dilation[i] = dilation[i];
  }
  descriptor->mode = mode;
  descriptor->compute = compute;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetConvolution2dDescriptor(cudnnConvolutionDescriptor_t descriptor, int pad_h, int pad_w,
                                              int stride_h, int stride_w, int dilation_h, int dilation_w,
                                              cudnnConvolutionMode_t mode, cudnnDataType_t compute) {
  const int pad[] = {pad_h, pad_w}, stride[] = {stride_h, stride_w}, dilation[] = {dilation_h, dilation_w};
  return cudnnSetConvolutionNdDescriptor(descriptor, 2, pad, stride, dilation, mode, compute);
}

cudnnStatus_t cudnnSetConvolutionGroupCount(cudnnConvolutionDescriptor_t descriptor, int groups) {
  if (descriptor == nullptr || groups < 1) return Refuse(CUDNN_STATUS_BAD_PARAM, "groups must be positive");
  descriptor->groups = groups;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetConvolutionMathType(cudnnConvolutionDescriptor_t descriptor, cudnnMathType_t math) {
  if (descriptor == nullptr) return Refuse(CUDNN_STATUS_BAD_PARAM, "the descriptor is null");
  descriptor->math = math;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetConvolutionMathType(cudnnConvolutionDescriptor_t descriptor, cudnnMathType_t* math) {
  if (descriptor == nullptr) return Refuse(CUDNN_STATUS_BAD_PARAM, "the descriptor is null");
  *math = descriptor->math;
  return CUDNN_STATUS_SUCCESS;
}
