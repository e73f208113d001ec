// cuDNN's elementwise functions and the gradient of a bias.
#include "tools/cuda_emulator/cudnn_descriptors.h"

using cuda_emulator::Refuse;
using cuda_emulator::Submit;
using cuda_emulator::View;

namespace {

float Scale(const void* pointer) { return *static_cast<const float*>(pointer); }

}  // namespace

cudnnStatus_t cudnnAddTensor(cudnnHandle_t handle, const void* alpha, const cudnnTensorDescriptor_t a_descriptor,
                             const void* a, const void* beta, const cudnnTensorDescriptor_t c_descriptor, void* c) {
  View a_view, c_view;
  if (!ViewOf(a_descriptor, &a_view) || !ViewOf(c_descriptor, &c_view) || a_view.format != c_view.format) {
    return Refuse(CUDNN_STATUS_BAD_PARAM, "emulated: four dimensions, both float32 or both bfloat16");
  }
  const size_t a_bytes = a_view.extent_bytes();
  for (int i = 0; i < 4; ++i) {
    if (a_view.size[i] != c_view.size[i] && a_view.size[i] != 1) {
      return Refuse(CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH, "A's sizes must be C's, or 1");
    }
    // The one element for all.
    if (a_view.size[i] != c_view.size[i]) a_view.stride[i] = 0;
    a_view.size[i] = c_view.size[i];
  }
  return Submit(handle, {{a, a_bytes}, {c, c_view.extent_bytes()}},
                [a_view, c_view, a, c, alpha = Scale(alpha), beta = Scale(beta)] {
                  Blend(c_view, c, Unpack(a_view, a), alpha, beta);
                });
}

cudnnStatus_t cudnnConvolutionBackwardBias(cudnnHandle_t handle, const void* alpha,
                                           const cudnnTensorDescriptor_t dy_descriptor, const void* dy,
                                           const void* beta, const cudnnTensorDescriptor_t db_descriptor, void* db) {
  View dy_view, db_view;
  if (!ViewOf(dy_descriptor, &dy_view) || !ViewOf(db_descriptor, &db_view) || dy_view.format != db_view.format) {
    return Refuse(CUDNN_STATUS_BAD_PARAM, "emulated: four dimensions, both float32 or both bfloat16");
  }
  if (db_view.size[1] != dy_view.size[1] || db_view.count() != db_view.size[1]) {
    return Refuse(CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH, "a bias has one element a channel");
  }
  return Submit(handle, {{dy, dy_view.extent_bytes()}, {db, db_view.extent_bytes()}},
                [dy_view, db_view, dy, db, alpha = Scale(alpha), beta = Scale(beta)] {
                  const std::vector<float> values = Unpack(dy_view, dy);
                  const size_t channels = static_cast<size_t>(db_view.size[1]);
                  std::vector<double> sums(channels, 0.0);
                  for (size_t i = 0; i < values.size(); ++i) sums[i % channels] += values[i];
                  Blend(db_view, db, std::vector<float>(sums.begin(), sums.end()), alpha, beta);
                });
}
