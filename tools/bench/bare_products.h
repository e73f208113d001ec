// The convolutions and products of a LeNet-5 training step on a GPU and nothing else: the least that a step of these
// can take.
#ifndef BITGATE_TOOLS_BENCH_BARE_PRODUCTS_H_
#define BITGATE_TOOLS_BENCH_BARE_PRODUCTS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "runtime/device/context.h"
#include "runtime/tensor/tensor.h"

namespace bitgate::bench {

class BareProducts {
 public:
  // Forward and backward (no input gradient of the first layer), by the kernels that the ops take: mostly cuDNN's and
  // cuBLASLt's, and those of our own for convolutions of few input channels; without bias or activation; captured.
  BareProducts(Device device, int64_t batch);

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

#endif  // BITGATE_TOOLS_BENCH_BARE_PRODUCTS_H_
