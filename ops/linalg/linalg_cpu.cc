#include "ops/linalg/linalg_kernels.h"
#include "ops/onednn_call.h"
#include "runtime/base/thread_pool.h"

namespace bitgate {
namespace cpu {
namespace {

using Descriptor = dnnl::memory::desc;

struct MatMulPlan {
  OneDnnCall product;
  size_t scratchpad_bytes = 0;
};

Descriptor Matrix(int64_t rows, int64_t columns, bool transposed = false) {
  return Descriptor({rows, columns}, dnnl::memory::data_type::f32,
                    transposed ? dnnl::memory::dims{1, rows} : dnnl::memory::dims{columns, 1});
}

// The matmul primitive, not inner product: with plain formats it is as fast or faster, with no weights to reorder.
std::shared_ptr<MatMulPlan> MakePlan(OneDnn& onednn, int64_t m, int64_t k, int64_t n, bool with_bias,
                                     const MatMulParams& params) {
  const Descriptor a = Matrix(m, k, params.transpose_a), b = Matrix(k, n, params.transpose_b), y = Matrix(m, n);
  const Descriptor bias = with_bias ? Matrix(1, n) : Descriptor();
  const dnnl::matmul::primitive_desc descriptor(dnnl::matmul::desc(a, b, bias, y),
                                                CallAttributes(params.activation == Activation::kRelu), onednn.engine);
  auto plan = std::make_shared<MatMulPlan>();
  plan->scratchpad_bytes = descriptor.scratchpad_desc().get_size();
  plan->product = OneDnnCall(dnnl::matmul(descriptor), onednn.engine,
                             {{DNNL_ARG_SRC, a},
                              {DNNL_ARG_WEIGHTS, b},
                              {DNNL_ARG_BIAS, bias},
                              {DNNL_ARG_DST, y},
                              {DNNL_ARG_SCRATCHPAD, descriptor.scratchpad_desc()}});
  return plan;
}

}  // namespace

void MatMul(KernelContext& context, View y, ConstView a, ConstView b, ConstView bias, const MatMulParams& params) {
  const int64_t m = y.shape[0], n = y.shape[1], k = a.shape[params.transpose_a ? 0 : 1];
  const bool with_bias = bias.data != nullptr;
  AdoptThreads();
  CallOneDnn("matmul", [&] {
    OneDnn& onednn = context.libraries.onednn();
    const PlanKey key("matmul", {Threads(), m, k, n, params.transpose_a, params.transpose_b, with_bias,
                                 static_cast<int64_t>(params.activation)});
    const auto plan = context.plans.Get<MatMulPlan>(key, [&] { return MakePlan(onednn, m, k, n, with_bias, params); });
    plan->product.Run(onednn.stream, {{DNNL_ARG_SRC, a.data},
                                      {DNNL_ARG_WEIGHTS, b.data},
                                      {DNNL_ARG_BIAS, bias.data},
                                      {DNNL_ARG_DST, y.data},
                                      {DNNL_ARG_SCRATCHPAD, context.workspace.Get(plan->scratchpad_bytes)}});
  });
}

}  // namespace cpu
}  // namespace bitgate
