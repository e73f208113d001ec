// The bare cuDNN and cuBLASLt calls of a LeNet-5 training step on a GPU: the least a step can take.
#ifndef BITGATE_TOOLS_BENCH_LIBRARY_CALLS_H_
#define BITGATE_TOOLS_BENCH_LIBRARY_CALLS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "runtime/device/context.h"
#include "runtime/tensor/tensor.h"

namespace bitgate::bench {

class LibraryCalls {
 public:
  // Convolutions and products, forward and backward (no input gradient of the first layer), by the algorithms that the
  // ops take, without bias or activation; captured.
  LibraryCalls(Device device, int64_t batch);

  // All calls so many times; returns when they are done.
  void Run(int times);

 private:
  // A tensor that stays, with values of a training's size.
  Tensor Values(const Shape& shape);
  void Convolution(const Tensor& x, const Tensor& w, const Tensor& y, const Tensor& grad_x);
  void Product(const Tensor& a, bool transpose_a, const Tensor& b, bool transpose_b, const Tensor& c);
  void Linear(const Tensor& x, const Tensor& w, const Tensor& y);

  Context context_;
  Memory memory_;  // of the captured calls
  std::vector<std::function<void()>> calls_;
  std::unique_ptr<CapturedWork> captured_;
};

}  // namespace bitgate::bench

#endif  // BITGATE_TOOLS_BENCH_LIBRARY_CALLS_H_
