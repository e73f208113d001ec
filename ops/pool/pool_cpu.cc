#include "ops/onednn_call.h"
#include "ops/pool/pool_kernels.h"
#include "runtime/base/thread_pool.h"

namespace bitgate {
namespace cpu {
namespace {

using dnnl::memory;
using dnnl::pooling_backward;
using dnnl::pooling_forward;
using Descriptor = memory::desc;

struct PoolPlan {
  OneDnnCall pooling;
  size_t scratchpad_bytes = 0;
};

Descriptor Images(const Shape& s) {
  return Descriptor({s[0], s[3], s[1], s[2]}, memory::data_type::f32, memory::format_tag::nhwc);
}

struct Problem {
  dnnl::algorithm algorithm;
  Descriptor x, y;
  memory::dims kernel, stride, padding;
  DType index_dtype;

  Problem(PoolKind kind, const Shape& x_shape, const Shape& y_shape, const Pool2dParams& params)
      : algorithm(kind == PoolKind::kMax ? dnnl::algorithm::pooling_max : dnnl::algorithm::pooling_avg_exclude_padding),
        x(Images(x_shape)),
        y(Images(y_shape)),
        kernel(params.kernel.begin(), params.kernel.end()),
        stride(params.stride.begin(), params.stride.end()),
        padding(params.padding.begin(), params.padding.end()),
        index_dtype(MaxPoolIndexDType(params)) {}

  pooling_forward::primitive_desc Forward(const dnnl::engine& engine, dnnl::prop_kind kind) const {
    return {pooling_forward::desc(kind, algorithm, x, y, stride, kernel, padding, padding), CallAttributes(), engine};
  }

  // The library's choice of the index type is documented nowhere, so it is compared with ours.
  void CheckIndex(const Descriptor& workspace) const {
    const size_t expected = y.get_size() / sizeof(float) * SizeOf(index_dtype);
    if (workspace.get_size() != expected) {
      throw Internal("pooling: expected an index of ", expected, " bytes, got one of ", workspace.get_size());
    }
  }
};

std::shared_ptr<PoolPlan> MakeForward(const dnnl::engine& engine, const Problem& p, bool with_index) {
  const auto descriptor =
      p.Forward(engine, with_index ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference);
  auto plan = std::make_shared<PoolPlan>();
  plan->scratchpad_bytes = descriptor.scratchpad_desc().get_size();
  if (with_index) p.CheckIndex(descriptor.workspace_desc());
  plan->pooling = OneDnnCall(pooling_forward(descriptor), engine,
                             {{DNNL_ARG_SRC, p.x},
                              {DNNL_ARG_DST, p.y},
                              {DNNL_ARG_WORKSPACE, with_index ? descriptor.workspace_desc() : Descriptor()},
                              {DNNL_ARG_SCRATCHPAD, descriptor.scratchpad_desc()}});
  return plan;
}

std::shared_ptr<PoolPlan> MakeBackward(const dnnl::engine& engine, const Problem& p) {
  const auto forward = p.Forward(engine, dnnl::prop_kind::forward_training);
  const pooling_backward::primitive_desc descriptor(
      pooling_backward::desc(p.algorithm, p.x, p.y, p.stride, p.kernel, p.padding, p.padding), CallAttributes(), engine,
      forward);
  auto plan = std::make_shared<PoolPlan>();
  plan->scratchpad_bytes = descriptor.scratchpad_desc().get_size();
  plan->pooling = OneDnnCall(pooling_backward(descriptor), engine,
                             {{DNNL_ARG_DIFF_SRC, p.x},
                              {DNNL_ARG_DIFF_DST, p.y},
                              {DNNL_ARG_WORKSPACE, descriptor.workspace_desc()},
                              {DNNL_ARG_SCRATCHPAD, descriptor.scratchpad_desc()}});
  return plan;
}

PlanKey Key(const char* kernel, PoolKind kind, bool with_index, const Shape& x, const Pool2dParams& p) {
  AdoptThreads();  // a primitive must run on as many threads as it was made for
  return PlanKey(kernel, {Threads(), static_cast<int64_t>(kind), with_index, x[0], x[1], x[2], x[3], p.kernel[0],
                          p.kernel[1], p.stride[0], p.stride[1], p.padding[0], p.padding[1]});
}

}  // namespace

void Pool2dForward(KernelContext& context, PoolKind kind, View y, View index, ConstView x, const Pool2dParams& params) {
  CallOneDnn("pooling", [&] {
    OneDnn& onednn = context.libraries.onednn();
    const bool with_index = index.data != nullptr;
    const auto plan = context.plans.Get<PoolPlan>(Key("pooling", kind, with_index, x.shape, params), [&] {
      return MakeForward(onednn.engine, Problem(kind, x.shape, y.shape, params), with_index);
    });
    plan->pooling.Run(onednn.stream, {{DNNL_ARG_SRC, x.data},
                                      {DNNL_ARG_DST, y.data},
                                      {DNNL_ARG_WORKSPACE, index.data},
                                      {DNNL_ARG_SCRATCHPAD, context.workspace.Get(plan->scratchpad_bytes)}});
  });
}

void Pool2dBackward(KernelContext& context, PoolKind kind, View grad_x, ConstView index, ConstView grad_y,
                    const Pool2dParams& params) {
  CallOneDnn("pooling backward", [&] {
    OneDnn& onednn = context.libraries.onednn();
    const PlanKey key = Key("pooling backward", kind, kind == PoolKind::kMax, grad_x.shape, params);
    const auto plan = context.plans.Get<PoolPlan>(
        key, [&] { return MakeBackward(onednn.engine, Problem(kind, grad_x.shape, grad_y.shape, params)); });
    plan->pooling.Run(onednn.stream, {{DNNL_ARG_DIFF_SRC, grad_x.data},
                                      {DNNL_ARG_DIFF_DST, grad_y.data},
                                      {DNNL_ARG_WORKSPACE, index.data},
                                      {DNNL_ARG_SCRATCHPAD, context.workspace.Get(plan->scratchpad_bytes)}});
  });
}

}  // namespace cpu
}  // namespace bitgate
