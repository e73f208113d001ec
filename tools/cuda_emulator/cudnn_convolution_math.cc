#include "tools/cuda_emulator/cudnn_convolution_math.h"

#include <algorithm>

namespace cuda_emulator {
namespace {

// The innermost loops go over output or input channels, which lie one behind another: the compiler makes vectors of
// them.
void AddScaled(float* __restrict__ y, const float* __restrict__ x, float scale, int64_t count) {
  for (int64_t i = 0; i < count; ++i) y[i] += scale * x[i];
}

// w [k, r, s, c] of a group as [r, s, c, k].
std::vector<float> OutputChannelsLast(const ConvolutionShape& shape, const std::vector<float>& w) {
  const int64_t inner = shape.r * shape.s * (shape.c / shape.groups), k = shape.k / shape.groups;
  std::vector<float> result(w.size());
  for (int64_t group = 0; group < shape.groups; ++group) {
    for (int64_t i = 0; i < k; ++i) {
      for (int64_t j = 0; j < inner; ++j) result[(group * inner + j) * k + i] = w[(group * k + i) * inner + j];
    }
  }
  return result;
}

// Calls body(pixel of y, pixel of x, tap) for every tap of every output pixel of image n that is not in the padding,
// beginning with row and tap number `turn`.
template <class Body>
void ForEachTap(const ConvolutionShape& shape, int64_t n, uint64_t turn, const Body& body) {
  const int64_t taps = shape.r * shape.s;
  const int64_t first = static_cast<int64_t>(turn % static_cast<uint64_t>(taps));
  for (int64_t row = 0; row < shape.out_h; ++row) {
    const int64_t out_h = (row + static_cast<int64_t>(turn % static_cast<uint64_t>(shape.out_h))) % shape.out_h;
    for (int64_t out_w = 0; out_w < shape.out_w; ++out_w) {
      const int64_t y = (n * shape.out_h + out_h) * shape.out_w + out_w;
      for (int64_t i = 0; i < taps; ++i) {
        const int64_t tap = i + first < taps ? i + first : i + first - taps;
        const int64_t h = out_h * shape.stride[0] - shape.pad[0] + tap / shape.s * shape.dilation[0];
        const int64_t w = out_w * shape.stride[1] - shape.pad[1] + tap % shape.s * shape.dilation[1];
        if (h < 0 || h >= shape.h || w < 0 || w >= shape.w) continue;
        body(y, (n * shape.h + h) * shape.w + w, tap);
      }
    }
  }
}

}  // namespace

std::vector<float> ConvolutionForward(const ConvolutionShape& shape, const std::vector<float>& x,
                                      const std::vector<float>& w, uint64_t turn) {
  const int64_t c = shape.c / shape.groups, k = shape.k / shape.groups;
  const std::vector<float> turned = OutputChannelsLast(shape, w);
  std::vector<float> y(static_cast<size_t>(shape.n * shape.out_h * shape.out_w * shape.k), 0.0f);
  for (int64_t n = 0; n < shape.n; ++n) {
    ForEachTap(shape, n, turn, [&](int64_t y_pixel, int64_t x_pixel, int64_t tap) {
      for (int64_t group = 0; group < shape.groups; ++group) {
        const float* from = x.data() + x_pixel * shape.c + group * c;
        const float* weights = turned.data() + (group * shape.r * shape.s + tap) * c * k;
        float* to = y.data() + y_pixel * shape.k + group * k;
        for (int64_t i = 0; i < c; ++i) AddScaled(to, weights + i * k, from[i], k);
      }
    });
  }
  return y;
}

std::vector<float> ConvolutionBackwardData(const ConvolutionShape& shape, const std::vector<float>& w,
                                           const std::vector<float>& dy, uint64_t turn) {
  const int64_t c = shape.c / shape.groups, k = shape.k / shape.groups, taps = shape.r * shape.s;
  std::vector<float> dx(static_cast<size_t>(shape.n * shape.h * shape.w * shape.c), 0.0f);
  for (int64_t n = 0; n < shape.n; ++n) {
    ForEachTap(shape, n, turn, [&](int64_t y_pixel, int64_t x_pixel, int64_t tap) {
      for (int64_t group = 0; group < shape.groups; ++group) {
        const float* from = dy.data() + y_pixel * shape.k + group * k;
        float* to = dx.data() + x_pixel * shape.c + group * c;
        for (int64_t i = 0; i < k; ++i) AddScaled(to, w.data() + ((group * k + i) * taps + tap) * c, from[i], c);
      }
    });
  }
  return dx;
}

std::vector<float> ConvolutionBackwardFilter(const ConvolutionShape& shape, const std::vector<float>& x,
                                             const std::vector<float>& dy, uint64_t turn) {
  const int64_t c = shape.c / shape.groups, k = shape.k / shape.groups, taps = shape.r * shape.s;
  // [groups, r, s, c, k]: of one image in float, of all of them in double, for the sums are long.
  std::vector<float> image(static_cast<size_t>(shape.groups * taps * c * k));
  std::vector<double> total(image.size(), 0.0);
  for (int64_t i = 0; i < shape.n; ++i) {
    const int64_t n = (i + static_cast<int64_t>(turn % static_cast<uint64_t>(shape.n))) % shape.n;
    std::fill(image.begin(), image.end(), 0.0f);
    ForEachTap(shape, n, turn, [&](int64_t y_pixel, int64_t x_pixel, int64_t tap) {
      for (int64_t group = 0; group < shape.groups; ++group) {
        const float* in = x.data() + x_pixel * shape.c + group * c;
        const float* out = dy.data() + y_pixel * shape.k + group * k;
        float* to = image.data() + (group * taps + tap) * c * k;
        for (int64_t j = 0; j < c; ++j) AddScaled(to + j * k, out, in[j], k);
      }
    });
    // An algorithm that is not deterministic rounds at each step, which is what makes its order matter.
    for (size_t j = 0; j < image.size(); ++j) {
      total[j] += image[j];
      if (turn != 0) total[j] = static_cast<float>(total[j]);
    }
  }
  std::vector<float> dw(image.size());
  for (int64_t group = 0; group < shape.groups; ++group) {
    for (int64_t j = 0; j < taps * c; ++j) {
      for (int64_t i = 0; i < k; ++i) {
        dw[(group * k + i) * taps * c + j] = static_cast<float>(total[(group * taps * c + j) * k + i]);
      }
    }
  }
  return dw;
}

}  // namespace cuda_emulator
