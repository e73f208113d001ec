// Convolutions of float arrays in host order: x [n, h, w, c], w [k, r, s, c / groups], y [n, out_h, out_w, k].
#ifndef BITGATE_TOOLS_CUDA_EMULATOR_CUDNN_CONVOLUTION_MATH_H_
#define BITGATE_TOOLS_CUDA_EMULATOR_CUDNN_CONVOLUTION_MATH_H_

#include <cstdint>
#include <vector>

namespace cuda_emulator {

struct ConvolutionShape {
  int64_t n = 0, h = 0, w = 0, c = 0;
  int64_t k = 0, r = 0, s = 0;
  int64_t out_h = 0, out_w = 0;
  int64_t groups = 1;
  int64_t pad[2] = {}, stride[2] = {}, dilation[2] = {};
};

// Each allocates its result. `turn` changes the order of summation: what an algorithm that is not deterministic has
// different in every call.
std::vector<float> ConvolutionForward(const ConvolutionShape& shape, const std::vector<float>& x,
                                      const std::vector<float>& w, uint64_t turn);
std::vector<float> ConvolutionBackwardData(const ConvolutionShape& shape, const std::vector<float>& w,
                                           const std::vector<float>& dy, uint64_t turn);
std::vector<float> ConvolutionBackwardFilter(const ConvolutionShape& shape, const std::vector<float>& x,
                                             const std::vector<float>& dy, uint64_t turn);

}  // namespace cuda_emulator

#endif  // BITGATE_TOOLS_CUDA_EMULATOR_CUDNN_CONVOLUTION_MATH_H_
