#include "ops/linalg/linalg_kernels.h"
#include "ops/onednn_copy.h"
#include "runtime/base/thread_pool.h"

namespace bitgate {
namespace cpu {
namespace {

using Descriptor = dnnl::memory::desc;

using DataType = dnnl::memory::data_type;

struct MatMulPlan {
  ScratchLayout layout;
  OneDnnCopy a, b;  // when they are rounded
  OneDnnCall product;
  size_t scratchpad = 0;
};

Descriptor Matrix(int64_t rows, int64_t columns, bool transposed = false, DataType type = DataType::f32) {
  return Descriptor({rows, columns}, type, transposed ? dnnl::memory::dims{1, rows} : dnnl::memory::dims{columns, 1});
}

// The matmul primitive, not inner product: with plain formats it is as fast or faster, with no weights to reorder.
std::shared_ptr<MatMulPlan> MakePlan(const dnnl::engine& engine, int64_t m, int64_t k, int64_t n, bool with_bias,
                                     bool codes, const MatMulParams& params, DataType read) {
  const Descriptor a = Matrix(m, k, params.transpose_a, read), b = Matrix(k, n, params.transpose_b, read);
  const Descriptor y = Matrix(m, n), bias = with_bias && !codes ? Matrix(1, n) : Descriptor();
  OneDnnFinish finish;
  finish.relu = params.activation == Activation::kRelu;
  if (codes) finish.factor = OneDnnCall::OneFloat(2);
  if (codes && with_bias) finish.bias = Matrix(1, n);
  const dnnl::matmul::primitive_desc descriptor(dnnl::matmul::desc(a, b, bias, y), CallAttributes(finish), engine);
  auto plan = std::make_shared<MatMulPlan>();
  plan->a = OneDnnCopy::OfInput(engine, Matrix(m, k, params.transpose_a), a, plan->layout, codes);
  plan->b = OneDnnCopy::OfInput(engine, Matrix(k, n, params.transpose_b), b, plan->layout, codes);
  plan->scratchpad = plan->layout.Add(descriptor.scratchpad_desc().get_size());
  plan->product = OneDnnCall(dnnl::matmul(descriptor), engine,
                             {{DNNL_ARG_SRC, a},
                              {DNNL_ARG_WEIGHTS, b},
                              {DNNL_ARG_BIAS, bias},
                              {OneDnnFinish::kFactor, finish.factor},
                              {OneDnnFinish::kBias, finish.bias},
                              {DNNL_ARG_DST, y},
                              {DNNL_ARG_SCRATCHPAD, descriptor.scratchpad_desc()}});
  return plan;
}

}  // namespace

void MatMul(KernelContext& context, View y, ConstView a, ConstView b, ConstView bias, const MatMulParams& params) {
  const int64_t m = y.shape[0], n = y.shape[1], k = a.shape[params.transpose_a ? 0 : 1];
  const bool with_bias = bias.data != nullptr;
  const bool codes = params.steps.given() && context.compute == Compute::kBfloat16;
  const OperandSteps steps = codes ? params.steps : OperandSteps{1, 1};
  const float factor = steps.input * steps.weight;
  AdoptThreads();
  CallOneDnn("matmul", [&] {
    OneDnn& onednn = context.libraries.onednn();
    const PlanKey key("matmul", {Threads(), static_cast<int64_t>(context.compute), m, k, n, params.transpose_a,
                                 params.transpose_b, with_bias, codes, static_cast<int64_t>(params.activation)});
    const auto plan = context.plans.Get<MatMulPlan>(
        key, [&] { return MakePlan(onednn.engine, m, k, n, with_bias, codes, params, OperandType(context.compute)); });
    void* const scratch = context.workspace.Get(plan->layout.bytes());
    const void* const own_a = plan->a.In(onednn.stream, a.data, scratch, 1 / steps.input);
    const void* const own_b = plan->b.In(onednn.stream, b.data, scratch, 1 / steps.weight);
    plan->product.Run(onednn.stream, {{DNNL_ARG_SRC, own_a},
                                      {DNNL_ARG_WEIGHTS, own_b},
                                      {DNNL_ARG_BIAS, bias.data},
                                      {OneDnnFinish::kFactor, &factor},
                                      {OneDnnFinish::kBias, bias.data},
                                      {DNNL_ARG_DST, y.data},
                                      {DNNL_ARG_SCRATCHPAD, static_cast<std::byte*>(scratch) + plan->scratchpad}});
  });
}

}  // namespace cpu
}  // namespace bitgate
