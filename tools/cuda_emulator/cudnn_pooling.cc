// cuDNN's pooling.
#include <limits>

#include "tools/cuda_emulator/cudnn_descriptors.h"

using cuda_emulator::Refuse;
using cuda_emulator::Submit;
using cuda_emulator::View;

namespace {

struct Pooling {
  cudnnPoolingStruct descriptor;
  View x, y;
  bool is_max() const {
    return descriptor.mode == CUDNN_POOLING_MAX || descriptor.mode == CUDNN_POOLING_MAX_DETERMINISTIC;
  }
};

int64_t OutputSize(const cudnnPoolingStruct& descriptor, const View& x, int i) {
  return (x.size[2 + i] + 2 * descriptor.pad[i] - descriptor.window[i]) / descriptor.stride[i] + 1;
}

cudnnStatus_t Describe(const cudnnPoolingStruct* descriptor, const cudnnTensorStruct* x, const cudnnTensorStruct* y,
                       Pooling* pooling) {
  if (descriptor == nullptr || !ViewOf(x, &pooling->x) || !ViewOf(y, &pooling->y)) {
    return Refuse(CUDNN_STATUS_BAD_PARAM, "emulated: four dimensions of float32 or bfloat16");
  }
  if (pooling->x.format != pooling->y.format) return Refuse(CUDNN_STATUS_BAD_PARAM, "the arrays must be of one type");
  const int64_t expected[4] = {pooling->x.size[0], pooling->x.size[1], OutputSize(*descriptor, pooling->x, 0),
                               OutputSize(*descriptor, pooling->x, 1)};
  for (int i = 0; i < 4; ++i) {
    if (pooling->y.size[i] != expected[i]) return Refuse(CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH, "the output's sizes");
  }
  pooling->descriptor = *descriptor;
  return CUDNN_STATUS_SUCCESS;
}

// Calls body(output, begin_h, end_h, begin_w, end_w, padded area) for every window, cut to the image; output and the
// image's elements are counted in N H W C order.
template <class Body>
void ForEachWindow(const Pooling& pooling, const Body& body) {
  const cudnnPoolingStruct& d = pooling.descriptor;
  int64_t output = 0;
  for (int64_t n = 0; n < pooling.y.size[0]; ++n) {
    for (int64_t h = 0; h < pooling.y.size[2]; ++h) {
      for (int64_t w = 0; w < pooling.y.size[3]; ++w) {
        int64_t begin[2] = {h * d.stride[0] - d.pad[0], w * d.stride[1] - d.pad[1]}, end[2];
        for (int i = 0; i < 2; ++i) {
          end[i] = begin[i] + d.window[i];
          if (end[i] > pooling.x.size[2 + i]) end[i] = pooling.x.size[2 + i];
          if (begin[i] < 0) begin[i] = 0;
        }
        for (int64_t c = 0; c < pooling.y.size[1]; ++c) body(n, c, output++, begin, end);
      }
    }
  }
}

template <class Body>
void ForEachInWindow(const Pooling& pooling, int64_t n, int64_t c, const int64_t* begin, const int64_t* end,
                     const Body& body) {
  const View& x = pooling.x;
  for (int64_t h = begin[0]; h < end[0]; ++h) {
    for (int64_t w = begin[1]; w < end[1]; ++w) body(((n * x.size[2] + h) * x.size[3] + w) * x.size[1] + c);
  }
}

int64_t Divisor(const Pooling& pooling, const int64_t* begin, const int64_t* end) {
  return pooling.descriptor.mode == CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING
             ? static_cast<int64_t>(pooling.descriptor.window[0]) * pooling.descriptor.window[1]
             : (end[0] - begin[0]) * (end[1] - begin[1]);
}

// The first of the greatest; -1 for none, in a window of NaN that are not to be propagated.
int64_t Greatest(const Pooling& pooling, const std::vector<float>& x, int64_t n, int64_t c, const int64_t* begin,
                 const int64_t* end) {
  int64_t best = -1;
  ForEachInWindow(pooling, n, c, begin, end, [&](int64_t i) {
    const float value = x[static_cast<size_t>(i)];
    if (value != value && pooling.descriptor.nan == CUDNN_NOT_PROPAGATE_NAN) return;
    const float so_far = best < 0 ? 0 : x[static_cast<size_t>(best)];
    if (best < 0 || value > so_far || (value != value && so_far == so_far)) best = i;
  });
  return best;
}

std::vector<float> Forward(const Pooling& pooling, const std::vector<float>& x) {
  std::vector<float> y(static_cast<size_t>(pooling.y.count()));
  ForEachWindow(pooling, [&](int64_t n, int64_t c, int64_t output, const int64_t* begin, const int64_t* end) {
    float& result = y[static_cast<size_t>(output)];
    if (pooling.is_max()) {
      const int64_t best = Greatest(pooling, x, n, c, begin, end);
      result = best < 0 ? -std::numeric_limits<float>::max() : x[static_cast<size_t>(best)];
      return;
    }
    float sum = 0;
    ForEachInWindow(pooling, n, c, begin, end, [&](int64_t i) { sum += x[static_cast<size_t>(i)]; });
    result = sum / static_cast<float>(Divisor(pooling, begin, end));
  });
  return y;
}

std::vector<float> Backward(const Pooling& pooling, const std::vector<float>& x, const std::vector<float>& dy) {
  std::vector<float> dx(static_cast<size_t>(pooling.x.count()), 0.0f);
  ForEachWindow(pooling, [&](int64_t n, int64_t c, int64_t output, const int64_t* begin, const int64_t* end) {
    const float gradient = dy[static_cast<size_t>(output)];
    if (pooling.is_max()) {
      const int64_t best = Greatest(pooling, x, n, c, begin, end);
      if (best >= 0) dx[static_cast<size_t>(best)] += gradient;
      return;
    }
    const float share = gradient / static_cast<float>(Divisor(pooling, begin, end));
    ForEachInWindow(pooling, n, c, begin, end, [&](int64_t i) { dx[static_cast<size_t>(i)] += share; });
  });
  return dx;
}

float Scale(const void* pointer) { return *static_cast<const float*>(pointer); }

}  // namespace

cudnnStatus_t cudnnGetPooling2dForwardOutputDim(const cudnnPoolingDescriptor_t descriptor,
                                                const cudnnTensorDescriptor_t x, int* n, int* c, int* h, int* w) {
  View view;
  if (descriptor == nullptr || !ViewOf(x, &view)) return Refuse(CUDNN_STATUS_BAD_PARAM, "not a tensor");
  *n = static_cast<int>(view.size[0]);
  *c = static_cast<int>(view.size[1]);
  *h = static_cast<int>(OutputSize(*descriptor, view, 0));
  *w = static_cast<int>(OutputSize(*descriptor, view, 1));
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnPoolingForward(cudnnHandle_t handle, const cudnnPoolingDescriptor_t descriptor, const void* alpha,
                                  const cudnnTensorDescriptor_t x_descriptor, const void* x, const void* beta,
                                  const cudnnTensorDescriptor_t y_descriptor, void* y) {
  Pooling pooling;
  const cudnnStatus_t status = Describe(descriptor, x_descriptor, y_descriptor, &pooling);
  if (status != CUDNN_STATUS_SUCCESS) return status;
  return Submit(handle, {{x, pooling.x.extent_bytes()}, {y, pooling.y.extent_bytes()}},
                [pooling, x, y, alpha = Scale(alpha), beta = Scale(beta)] {
                  Blend(pooling.y, y, Forward(pooling, Unpack(pooling.x, x)), alpha, beta);
                });
}

cudnnStatus_t cudnnPoolingBackward(cudnnHandle_t handle, const cudnnPoolingDescriptor_t descriptor, const void* alpha,
                                   const cudnnTensorDescriptor_t y_descriptor, const void* y,
                                   const cudnnTensorDescriptor_t dy_descriptor, const void* dy,
                                   const cudnnTensorDescriptor_t x_descriptor, const void* x, const void* beta,
                                   const cudnnTensorDescriptor_t dx_descriptor, void* dx) {
  Pooling pooling, gradients;
  cudnnStatus_t status = Describe(descriptor, x_descriptor, y_descriptor, &pooling);
  if (status == CUDNN_STATUS_SUCCESS) status = Describe(descriptor, dx_descriptor, dy_descriptor, &gradients);
  if (status != CUDNN_STATUS_SUCCESS) return status;
  return Submit(handle,
                {{y, pooling.y.extent_bytes()},
                 {dy, gradients.y.extent_bytes()},
                 {x, pooling.x.extent_bytes()},
                 {dx, gradients.x.extent_bytes()}},
                [pooling, gradients, x, dy, dx, alpha = Scale(alpha), beta = Scale(beta)] {
                  Blend(gradients.x, dx, Backward(pooling, Unpack(pooling.x, x), Unpack(gradients.y, dy)), alpha, beta);
                });
}
