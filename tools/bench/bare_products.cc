#include "tools/bench/bare_products.h"

#include "ops/conv/conv_kernels.h"
#include "ops/linalg/linalg_kernels.h"
#include "runtime/base/rng.h"
#include "runtime/kernel/dispatch.h"
#include "runtime/tensor/copy.h"

namespace bitgate::bench {
namespace {

constexpr KernelTable<decltype(cpu::Conv2dForward)> kConvForward{&cpu::Conv2dForward, BG_CUDA_KERNEL(Conv2dForward)};
constexpr KernelTable<decltype(cpu::Conv2dBackward)> kConvBackward{&cpu::Conv2dBackward,
                                                                   BG_CUDA_KERNEL(Conv2dBackward)};
constexpr KernelTable<decltype(cpu::MatMul)> kMatMul{&cpu::MatMul, BG_CUDA_KERNEL(MatMul)};

}  // namespace

Tensor BareProducts::Values(const Shape& shape) {
  std::vector<float> values(shape.size());
  for (size_t i = 0; i < values.size(); ++i) values[i] = Uniform({1, 5, 0}, i) - 0.5f;
  return FromHost(context_, values, shape);
}

void BareProducts::Convolution(const Tensor& x, const Tensor& w, const Tensor& y, const Tensor& grad_x) {
  const Tensor grad_w = Values(w.shape());
  calls_.push_back([=] {
    kConvForward.For(context_.device(), "conv2d")(context_.kernel(), y.view(), x.view(), w.view(), {}, {});
    kConvBackward.For(context_.device(), "conv2d")(context_.kernel(), grad_x.view(), grad_w.view(), {}, y.view(),
                                                   x.view(), w.view(), {});
  });
}

void BareProducts::Product(const Tensor& a, bool transpose_a, const Tensor& b, bool transpose_b, const Tensor& c) {
  calls_.push_back([=] {
    kMatMul.For(context_.device(), "matmul")(context_.kernel(), c.view(), a.view(), b.view(), {},
                                             {transpose_a, transpose_b});
  });
}

// y = x w^T, dx = dy w, dw = dy^T x.
void BareProducts::Linear(const Tensor& x, const Tensor& w, const Tensor& y) {
  const Tensor grad_y = Values(y.shape());
  Product(x, false, w, true, y);
  Product(grad_y, false, w, false, Values(x.shape()));
  Product(grad_y, true, x, false, Values(w.shape()));
}

BareProducts::BareProducts(Device device, int64_t batch)
    : context_(device), memory_(context_.backend().MakeCapturePool()) {
  const UseMemory use_memory(context_, memory_);
  const Tensor x2 = Values({batch, 12, 12, 32});
  Convolution(Values({batch, 28, 28, 1}), Values({32, 5, 5, 1}), Values({batch, 24, 24, 32}), {});
  Convolution(x2, Values({64, 5, 5, 32}), Values({batch, 8, 8, 64}), Values(x2.shape()));
  Linear(Values({batch, 1024}), Values({512, 1024}), Values({batch, 512}));
  Linear(Values({batch, 512}), Values({10, 512}), Values({batch, 10}));
  const auto all = [this] {
    for (const auto& call : calls_) call();
  };
  all();  // makes plans, and the workspace as large as it has to be
  captured_ = context_.backend().Capture(all);
}

void BareProducts::Run(int times) {
  for (int i = 0; i < times; ++i) captured_->Replay();
  context_.backend().Synchronize();
}

}  // namespace bitgate::bench
