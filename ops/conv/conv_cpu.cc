#include "ops/conv/conv_kernels.h"
#include "ops/onednn_call.h"
#include "runtime/base/thread_pool.h"

namespace bitgate {
namespace cpu {
namespace {

using dnnl::convolution_backward_data;
using dnnl::convolution_backward_weights;
using dnnl::convolution_forward;
using dnnl::memory;
using Descriptor = memory::desc;

constexpr auto kDirect = dnnl::algorithm::convolution_direct;

// A convolution and the copies of the (small) weights between our format and the one its implementation likes best.
struct ConvPlan {
  OneDnnCall weights_in, convolution, weights_out;
  size_t weights_bytes = 0;  // of the copy, rounded up so that what follows it is aligned; 0 when there is none
  size_t scratchpad_bytes = 0;
};

// oneDNN's names for our formats: dimensions are always given as n, c, h, w, the strides say where they lie.
Descriptor Activations(const Shape& s) {
  return Descriptor({s[0], s[3], s[1], s[2]}, memory::data_type::f32, memory::format_tag::nhwc);
}

memory::dims WeightDimensions(const Shape& s, int64_t groups) {
  if (groups == 1) return {s[0], s[3], s[1], s[2]};
  return {groups, s[0] / groups, s[3], s[1], s[2]};
}

Descriptor PlainWeights(const Shape& s, int64_t groups) {
  const int64_t o = s[1] * s[2] * s[3], h = s[2] * s[3], w = s[3];
  const memory::dims strides = groups == 1 ? memory::dims{o, 1, h, w} : memory::dims{o * (s[0] / groups), o, 1, h, w};
  return Descriptor(WeightDimensions(s, groups), memory::data_type::f32, strides);
}

// The descriptors that the three primitives of one convolution share.
struct Problem {
  Descriptor x, y, plain_weights, any_weights, bias;
  memory::dims stride, padding;
  bool relu;

  Problem(const Shape& x_shape, const Shape& y_shape, const Shape& w_shape, bool with_bias, const Conv2dParams& params)
      : x(Activations(x_shape)),
        y(Activations(y_shape)),
        plain_weights(PlainWeights(w_shape, params.groups)),
        any_weights(WeightDimensions(w_shape, params.groups), memory::data_type::f32, memory::format_tag::any),
        bias(with_bias ? Descriptor({w_shape[0]}, memory::data_type::f32, memory::format_tag::a) : Descriptor()),
        stride(params.stride.begin(), params.stride.end()),
        padding(params.padding.begin(), params.padding.end()),
        relu(params.activation == Activation::kRelu) {}

  convolution_forward::primitive_desc Forward(const dnnl::engine& engine, dnnl::prop_kind kind, bool fuse_relu) const {
    return {convolution_forward::desc(kind, kDirect, x, any_weights, bias, y, stride, padding, padding),
            CallAttributes(fuse_relu), engine};
  }
};

void Reserve(ConvPlan& plan, const Descriptor& weights, const Descriptor& scratchpad, const Descriptor& plain) {
  constexpr size_t kAlignment = 64;
  if (weights != plain) plan.weights_bytes = (weights.get_size() + kAlignment - 1) / kAlignment * kAlignment;
  plan.scratchpad_bytes = scratchpad.get_size();
}

std::shared_ptr<ConvPlan> MakeForward(const dnnl::engine& engine, const Problem& p) {
  const auto descriptor = p.Forward(engine, dnnl::prop_kind::forward_inference, p.relu);
  auto plan = std::make_shared<ConvPlan>();
  Reserve(*plan, descriptor.weights_desc(), descriptor.scratchpad_desc(), p.plain_weights);
  plan->weights_in = OneDnnCall::Reorder(engine, p.plain_weights, descriptor.weights_desc());
  plan->convolution = OneDnnCall(convolution_forward(descriptor), engine,
                                 {{DNNL_ARG_SRC, p.x},
                                  {DNNL_ARG_WEIGHTS, descriptor.weights_desc()},
                                  {DNNL_ARG_BIAS, p.bias},
                                  {DNNL_ARG_DST, p.y},
                                  {DNNL_ARG_SCRATCHPAD, descriptor.scratchpad_desc()}});
  return plan;
}

std::shared_ptr<ConvPlan> MakeBackwardData(const dnnl::engine& engine, const Problem& p) {
  const convolution_backward_data::primitive_desc descriptor(
      convolution_backward_data::desc(kDirect, p.x, p.any_weights, p.y, p.stride, p.padding, p.padding),
      CallAttributes(), engine, p.Forward(engine, dnnl::prop_kind::forward_training, false));
  auto plan = std::make_shared<ConvPlan>();
  Reserve(*plan, descriptor.weights_desc(), descriptor.scratchpad_desc(), p.plain_weights);
  plan->weights_in = OneDnnCall::Reorder(engine, p.plain_weights, descriptor.weights_desc());
  plan->convolution = OneDnnCall(convolution_backward_data(descriptor), engine,
                                 {{DNNL_ARG_DIFF_SRC, p.x},
                                  {DNNL_ARG_WEIGHTS, descriptor.weights_desc()},
                                  {DNNL_ARG_DIFF_DST, p.y},
                                  {DNNL_ARG_SCRATCHPAD, descriptor.scratchpad_desc()}});
  return plan;
}

std::shared_ptr<ConvPlan> MakeBackwardWeights(const dnnl::engine& engine, const Problem& p) {
  const convolution_backward_weights::primitive_desc descriptor(
      convolution_backward_weights::desc(kDirect, p.x, p.any_weights, p.bias, p.y, p.stride, p.padding, p.padding),
      CallAttributes(), engine, p.Forward(engine, dnnl::prop_kind::forward_training, false));
  auto plan = std::make_shared<ConvPlan>();
  Reserve(*plan, descriptor.diff_weights_desc(), descriptor.scratchpad_desc(), p.plain_weights);
  plan->weights_out = OneDnnCall::Reorder(engine, descriptor.diff_weights_desc(), p.plain_weights);
  plan->convolution = OneDnnCall(convolution_backward_weights(descriptor), engine,
                                 {{DNNL_ARG_SRC, p.x},
                                  {DNNL_ARG_DIFF_WEIGHTS, descriptor.diff_weights_desc()},
                                  {DNNL_ARG_DIFF_BIAS, p.bias},
                                  {DNNL_ARG_DIFF_DST, p.y},
                                  {DNNL_ARG_SCRATCHPAD, descriptor.scratchpad_desc()}});
  return plan;
}

using MakePlan = std::shared_ptr<ConvPlan> (*)(const dnnl::engine&, const Problem&);

std::shared_ptr<ConvPlan> FindPlan(KernelContext& context, const char* kernel, MakePlan make, const Shape& x,
                                   const Shape& y, const Shape& w, bool with_bias, const Conv2dParams& params) {
  AdoptThreads();  // a primitive must run on as many threads as it was made for
  PlanKey key(kernel, {Threads(), params.groups, with_bias, static_cast<int64_t>(params.activation), params.stride[0],
                       params.stride[1], params.padding[0], params.padding[1], y[3], w[1], w[2]});
  for (int64_t dimension : x) key.Append(dimension);
  return context.plans.Get<ConvPlan>(
      key, [&] { return make(context.libraries.onednn().engine, Problem(x, y, w, with_bias, params)); });
}

// Where this call's copy of the weights and the scratchpad lie in the workspace.
struct Buffers {
  void* weights;
  void* scratchpad;

  Buffers(KernelContext& context, const ConvPlan& plan, const void* plain_weights)
      : weights(context.workspace.Get(plan.weights_bytes + plan.scratchpad_bytes)),
        scratchpad(static_cast<std::byte*>(weights) + plan.weights_bytes) {
    if (plan.weights_bytes == 0) weights = const_cast<void*>(plain_weights);
  }
};

}  // namespace

void Conv2dForward(KernelContext& context, View y, ConstView x, ConstView w, ConstView bias,
                   const Conv2dParams& params) {
  CallOneDnn("conv2d", [&] {
    const auto plan = FindPlan(context, "conv2d", MakeForward, x.shape, y.shape, w.shape, bias.data != nullptr, params);
    const Buffers buffers(context, *plan, w.data);
    dnnl::stream& stream = context.libraries.onednn().stream;
    plan->weights_in.Run(stream, {{DNNL_ARG_FROM, w.data}, {DNNL_ARG_TO, buffers.weights}});
    plan->convolution.Run(stream, {{DNNL_ARG_SRC, x.data},
                                   {DNNL_ARG_WEIGHTS, buffers.weights},
                                   {DNNL_ARG_BIAS, bias.data},
                                   {DNNL_ARG_DST, y.data},
                                   {DNNL_ARG_SCRATCHPAD, buffers.scratchpad}});
  });
}

void Conv2dBackwardData(KernelContext& context, View grad_x, ConstView grad_y, ConstView w,
                        const Conv2dParams& params) {
  CallOneDnn("conv2d backward data", [&] {
    const auto plan = FindPlan(context, "conv2d backward data", MakeBackwardData, grad_x.shape, grad_y.shape, w.shape,
                               /*with_bias=*/false, params);
    const Buffers buffers(context, *plan, w.data);
    dnnl::stream& stream = context.libraries.onednn().stream;
    plan->weights_in.Run(stream, {{DNNL_ARG_FROM, w.data}, {DNNL_ARG_TO, buffers.weights}});
    plan->convolution.Run(stream, {{DNNL_ARG_DIFF_SRC, grad_x.data},
                                   {DNNL_ARG_WEIGHTS, buffers.weights},
                                   {DNNL_ARG_DIFF_DST, grad_y.data},
                                   {DNNL_ARG_SCRATCHPAD, buffers.scratchpad}});
  });
}

void Conv2dBackwardWeights(KernelContext& context, View grad_w, View grad_bias, ConstView grad_y, ConstView x,
                           const Conv2dParams& params) {
  CallOneDnn("conv2d backward weights", [&] {
    const auto plan = FindPlan(context, "conv2d backward weights", MakeBackwardWeights, x.shape, grad_y.shape,
                               grad_w.shape, grad_bias.data != nullptr, params);
    const Buffers buffers(context, *plan, grad_w.data);
    dnnl::stream& stream = context.libraries.onednn().stream;
    plan->convolution.Run(stream, {{DNNL_ARG_SRC, x.data},
                                   {DNNL_ARG_DIFF_WEIGHTS, buffers.weights},
                                   {DNNL_ARG_DIFF_BIAS, grad_bias.data},
                                   {DNNL_ARG_DIFF_DST, grad_y.data},
                                   {DNNL_ARG_SCRATCHPAD, buffers.scratchpad}});
    plan->weights_out.Run(stream, {{DNNL_ARG_FROM, buffers.weights}, {DNNL_ARG_TO, grad_w.data}});
  });
}

}  // namespace cpu
}  // namespace bitgate
