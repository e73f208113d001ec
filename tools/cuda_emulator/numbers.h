// Number formats of device memory, and views of arrays in it that convert to and from float.
#ifndef BITGATE_TOOLS_CUDA_EMULATOR_NUMBERS_H_
#define BITGATE_TOOLS_CUDA_EMULATOR_NUMBERS_H_

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace cuda_emulator {

enum class Format { kFloat32, kBfloat16 };

inline size_t Bytes(Format format) { return format == Format::kFloat32 ? 4 : 2; }

inline float FromBits(uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof(x));
  return x;
}

inline uint32_t ToBits(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  return bits;
}

// To nearest, ties to even.
inline uint16_t ToBfloat16(float x) {
  const uint32_t bits = ToBits(x);
  if (x != x) return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

inline float RoundToBfloat16(float x) { return FromBits(static_cast<uint32_t>(ToBfloat16(x)) << 16); }

// To nearest, ties away from zero, 10 bits of mantissa: as the matrix units get it.
inline float RoundToTf32(float x) { return std::isfinite(x) ? FromBits((ToBits(x) + 0x1000) & 0xffffe000) : x; }

inline float Load(const void* data, Format format, int64_t index) {
  if (format == Format::kFloat32) return static_cast<const float*>(data)[index];
  return FromBits(static_cast<uint32_t>(static_cast<const uint16_t*>(data)[index]) << 16);
}

inline void Store(void* data, Format format, int64_t index, float value) {
  if (format == Format::kFloat32) {
    static_cast<float*>(data)[index] = value;
  } else {
    static_cast<uint16_t*>(data)[index] = ToBfloat16(value);
  }
}

// An array of up to four dimensions, in the order N C H W, anywhere in memory.
struct View {
  Format format = Format::kFloat32;
  int64_t size[4] = {1, 1, 1, 1};
  int64_t stride[4] = {0, 0, 0, 0};

  int64_t count() const { return size[0] * size[1] * size[2] * size[3]; }
  size_t extent_bytes() const {
    int64_t last = 0;
    for (int i = 0; i < 4; ++i) last += (size[i] - 1) * stride[i];
    return static_cast<size_t>(last + 1) * Bytes(format);
  }
};

// Calls body(index into memory, index in N H W C order).
template <class Body>
inline void ForEach(const View& view, const Body& body) {
  int64_t packed = 0;
  for (int64_t n = 0; n < view.size[0]; ++n) {
    for (int64_t h = 0; h < view.size[2]; ++h) {
      for (int64_t w = 0; w < view.size[3]; ++w) {
        const int64_t base = n * view.stride[0] + h * view.stride[2] + w * view.stride[3];
        for (int64_t c = 0; c < view.size[1]; ++c) body(base + c * view.stride[1], packed++);
      }
    }
  }
}

// In N H W C order.
inline std::vector<float> Unpack(const View& view, const void* data) {
  std::vector<float> values(static_cast<size_t>(view.count()));
  ForEach(view, [&](int64_t at, int64_t i) { values[static_cast<size_t>(i)] = Load(data, view.format, at); });
  return values;
}

// data = alpha * values + beta * data; with beta = 0 what was there does not matter, be it NaN.
inline void Blend(const View& view, void* data, const std::vector<float>& values, float alpha, float beta) {
  ForEach(view, [&](int64_t at, int64_t i) {
    const float value = alpha * values[static_cast<size_t>(i)];
    Store(data, view.format, at, beta == 0 ? value : value + beta * Load(data, view.format, at));
  });
}

}  // namespace cuda_emulator

#endif  // BITGATE_TOOLS_CUDA_EMULATOR_NUMBERS_H_
