#include <algorithm>

#include "ops/conv/conv_kernels.h"
#include "ops/onednn_copy.h"
#include "ops/reduce/reduce_kernels.h"
#include "runtime/base/thread_pool.h"
#include "runtime/kernel/dispatch.h"

namespace bitgate {
namespace cpu {
namespace {

using dnnl::convolution_backward_data;
using dnnl::convolution_backward_weights;
using dnnl::convolution_forward;
using dnnl::memory;
using Descriptor = memory::desc;
using DataType = memory::data_type;

constexpr auto kDirect = dnnl::algorithm::convolution_direct;

// A convolution and the copies between our formats and those its implementation reads or writes: of the (small) weights
// often, of x and grad_y when they are rounded. The copy of grad_y comes first in the layouts of both backward passes,
// so that they can share it.
struct ConvPlan {
  ScratchLayout layout;
  OneDnnCopy x, y, weights;
  OneDnnCall convolution;
  size_t scratchpad = 0;
};

// oneDNN's names for our formats: dimensions are always given as n, c, h, w, the strides say where they lie.
Descriptor Activations(const Shape& s, DataType type = DataType::f32) {
  return Descriptor({s[0], s[3], s[1], s[2]}, type, memory::format_tag::nhwc);
}

memory::dims WeightDimensions(const Shape& s, int64_t groups) {
  if (groups == 1) return {s[0], s[3], s[1], s[2]};
  return {groups, s[0] / groups, s[3], s[1], s[2]};
}

Descriptor PlainWeights(const Shape& s, int64_t groups) {
  const int64_t o = s[1] * s[2] * s[3], h = s[2] * s[3], w = s[3];
  const memory::dims strides = groups == 1 ? memory::dims{o, 1, h, w} : memory::dims{o * (s[0] / groups), o, 1, h, w};
  return Descriptor(WeightDimensions(s, groups), DataType::f32, strides);
}

Descriptor AnyWeights(const Shape& s, int64_t groups, DataType type) {
  return Descriptor(WeightDimensions(s, groups), type, memory::format_tag::any);
}

// The descriptors that the three primitives of one convolution share: as we have or want a tensor (plain), and as a
// primitive reads it. What a primitive writes is float32.
struct Problem {
  Descriptor plain_x, plain_y, plain_weights, x, y, weights, grad_weights, bias;
  memory::dims stride, padding;
  OneDnnFinish finish;  // of the forward one
  bool codes;           // x and weights are divided by their steps as they are copied

  Problem(const Shape& x_shape, const Shape& y_shape, const Shape& w_shape, bool with_bias, bool codes,
          const Conv2dParams& params, DataType read)
      : plain_x(Activations(x_shape)),
        plain_y(Activations(y_shape)),
        plain_weights(PlainWeights(w_shape, params.groups)),
        x(Activations(x_shape, read)),
        y(Activations(y_shape, read)),
        weights(AnyWeights(w_shape, params.groups, read)),
        grad_weights(AnyWeights(w_shape, params.groups, DataType::f32)),
        bias(with_bias && !codes ? Descriptor({w_shape[0]}, DataType::f32, memory::format_tag::a) : Descriptor()),
        stride(params.stride.begin(), params.stride.end()),
        padding(params.padding.begin(), params.padding.end()),
        codes(codes) {
    finish.relu = params.activation == Activation::kRelu;
    if (codes) finish.factor = OneDnnCall::OneFloat(4);
    if (codes && with_bias) finish.bias = Descriptor({1, w_shape[0], 1, 1}, DataType::f32, memory::format_tag::nchw);
  }

  convolution_forward::primitive_desc Forward(const dnnl::engine& engine, dnnl::prop_kind kind,
                                              const OneDnnFinish& finish) const {
    return {convolution_forward::desc(kind, kDirect, x, weights, bias, plain_y, stride, padding, padding),
            CallAttributes(finish), engine};
  }
};

std::shared_ptr<ConvPlan> MakeForward(const dnnl::engine& engine, const Problem& p) {
  const auto descriptor = p.Forward(engine, dnnl::prop_kind::forward_inference, p.finish);
  auto plan = std::make_shared<ConvPlan>();
  plan->x = OneDnnCopy::OfInput(engine, p.plain_x, p.x, plan->layout, p.codes);
  plan->weights = OneDnnCopy::OfInput(engine, p.plain_weights, descriptor.weights_desc(), plan->layout, p.codes);
  plan->scratchpad = plan->layout.Add(descriptor.scratchpad_desc().get_size());
  plan->convolution = OneDnnCall(convolution_forward(descriptor), engine,
                                 {{DNNL_ARG_SRC, p.x},
                                  {DNNL_ARG_WEIGHTS, descriptor.weights_desc()},
                                  {DNNL_ARG_BIAS, p.bias},
                                  {OneDnnFinish::kFactor, p.finish.factor},
                                  {OneDnnFinish::kBias, p.finish.bias},
                                  {DNNL_ARG_DST, p.plain_y},
                                  {DNNL_ARG_SCRATCHPAD, descriptor.scratchpad_desc()}});
  return plan;
}

std::shared_ptr<ConvPlan> MakeBackwardData(const dnnl::engine& engine, const Problem& p) {
  const convolution_backward_data::primitive_desc descriptor(
      convolution_backward_data::desc(kDirect, p.plain_x, p.weights, p.y, p.stride, p.padding, p.padding),
      CallAttributes(), engine, p.Forward(engine, dnnl::prop_kind::forward_training, {}));
  auto plan = std::make_shared<ConvPlan>();
  plan->y = OneDnnCopy::OfInput(engine, p.plain_y, p.y, plan->layout);
  plan->weights = OneDnnCopy::OfInput(engine, p.plain_weights, descriptor.weights_desc(), plan->layout);
  plan->scratchpad = plan->layout.Add(descriptor.scratchpad_desc().get_size());
  plan->convolution = OneDnnCall(convolution_backward_data(descriptor), engine,
                                 {{DNNL_ARG_DIFF_SRC, p.plain_x},
                                  {DNNL_ARG_WEIGHTS, descriptor.weights_desc()},
                                  {DNNL_ARG_DIFF_DST, p.y},
                                  {DNNL_ARG_SCRATCHPAD, descriptor.scratchpad_desc()}});
  return plan;
}

std::shared_ptr<ConvPlan> MakeBackwardWeights(const dnnl::engine& engine, const Problem& p) {
  const convolution_backward_weights::primitive_desc descriptor(
      convolution_backward_weights::desc(kDirect, p.x, p.grad_weights, p.bias, p.y, p.stride, p.padding, p.padding),
      CallAttributes(), engine, p.Forward(engine, dnnl::prop_kind::forward_training, {}));
  auto plan = std::make_shared<ConvPlan>();
  plan->y = OneDnnCopy::OfInput(engine, p.plain_y, p.y, plan->layout);
  plan->x = OneDnnCopy::OfInput(engine, p.plain_x, p.x, plan->layout);
  plan->weights = OneDnnCopy::OfOutput(engine, descriptor.diff_weights_desc(), p.plain_weights, plan->layout);
  plan->scratchpad = plan->layout.Add(descriptor.scratchpad_desc().get_size());
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
                                   const Shape& y, const Shape& w, bool with_bias, bool codes,
                                   const Conv2dParams& params) {
  AdoptThreads();  // a primitive must run on as many threads as it was made for
  PlanKey key(kernel, {Threads(), static_cast<int64_t>(context.compute), params.groups, with_bias, codes,
                       static_cast<int64_t>(params.activation), params.stride[0], params.stride[1], params.padding[0],
                       params.padding[1], y[3], w[1], w[2]});
  for (int64_t dimension : x) key.Append(dimension);
  return context.plans.Get<ConvPlan>(key, [&] {
    return make(context.libraries.onednn().engine,
                Problem(x, y, w, with_bias, codes, params, OperandType(context.compute)));
  });
}

void* Scratchpad(const ConvPlan& plan, void* scratch) { return static_cast<std::byte*>(scratch) + plan.scratchpad; }

}  // namespace

void Conv2dForward(KernelContext& context, View y, ConstView x, ConstView w, ConstView bias,
                   const Conv2dParams& params) {
  const bool codes = params.steps.given() && context.compute == Compute::kBfloat16;
  const OperandSteps steps = codes ? params.steps : OperandSteps{1, 1};
  const float factor = steps.input * steps.weight;
  CallOneDnn("conv2d", [&] {
    const auto plan =
        FindPlan(context, "conv2d", MakeForward, x.shape, y.shape, w.shape, bias.data != nullptr, codes, params);
    void* const scratch = context.workspace.Get(plan->layout.bytes());
    dnnl::stream& stream = context.libraries.onednn().stream;
    const void* const own_x = plan->x.In(stream, x.data, scratch, 1 / steps.input);
    const void* const own_w = plan->weights.In(stream, w.data, scratch, 1 / steps.weight);
    plan->convolution.Run(stream, {{DNNL_ARG_SRC, own_x},
                                   {DNNL_ARG_WEIGHTS, own_w},
                                   {DNNL_ARG_BIAS, bias.data},
                                   {OneDnnFinish::kFactor, &factor},
                                   {OneDnnFinish::kBias, bias.data},
                                   {DNNL_ARG_DST, y.data},
                                   {DNNL_ARG_SCRATCHPAD, Scratchpad(*plan, scratch)}});
  });
}

namespace {

void RunBackwardData(dnnl::stream& stream, ConvPlan& plan, void* scratch, View grad_x, const void* grad_y,
                     ConstView w) {
  const void* const own_w = plan.weights.In(stream, w.data, scratch);
  plan.convolution.Run(stream, {{DNNL_ARG_DIFF_SRC, grad_x.data},
                                {DNNL_ARG_WEIGHTS, own_w},
                                {DNNL_ARG_DIFF_DST, grad_y},
                                {DNNL_ARG_SCRATCHPAD, Scratchpad(plan, scratch)}});
}

void RunBackwardWeights(dnnl::stream& stream, ConvPlan& plan, void* scratch, View grad_w, View grad_bias,
                        const void* grad_y, ConstView x) {
  const void* const own_x = plan.x.In(stream, x.data, scratch);
  plan.convolution.Run(stream, {{DNNL_ARG_SRC, own_x},
                                {DNNL_ARG_DIFF_WEIGHTS, plan.weights.Place(grad_w.data, scratch)},
                                {DNNL_ARG_DIFF_BIAS, grad_bias.data},
                                {DNNL_ARG_DIFF_DST, grad_y},
                                {DNNL_ARG_SCRATCHPAD, Scratchpad(plan, scratch)}});
  plan.weights.Out(stream, grad_w.data, scratch);
}

}  // namespace

void Conv2dBackward(KernelContext& context, View grad_x, View grad_w, View grad_bias, ConstView grad_y, ConstView x,
                    ConstView w, const Conv2dParams& params) {
  // The primitive would sum the bias' gradient from grad_y as it reads it: rounded, with bfloat16.
  const bool own_bias = grad_bias.data != nullptr && context.compute != Compute::kFloat32;
  CallOneDnn("conv2d backward", [&] {
    const auto find = [&](const char* kernel, MakePlan make, bool with_bias) {
      return FindPlan(context, kernel, make, x.shape, grad_y.shape, w.shape, with_bias, /*codes=*/false, params);
    };
    std::shared_ptr<ConvPlan> data, weights;
    if (grad_x.data != nullptr) data = find("conv2d backward data", MakeBackwardData, false);
    if (grad_w.data != nullptr) {
      weights = find("conv2d backward weights", MakeBackwardWeights, grad_bias.data != nullptr && !own_bias);
    }
    const size_t bytes = std::max(data ? data->layout.bytes() : 0, weights ? weights->layout.bytes() : 0);
    void* const scratch = context.workspace.Get(bytes);
    dnnl::stream& stream = context.libraries.onednn().stream;
    const void* const own_grad_y = (data ? data : weights)->y.In(stream, grad_y.data, scratch);
    if (data) RunBackwardData(stream, *data, scratch, grad_x, own_grad_y, w);
    if (weights) RunBackwardWeights(stream, *weights, scratch, grad_w, grad_bias, own_grad_y, x);
  });
  if (!own_bias) return;
  const int64_t channels = grad_y.shape[3];
  BG_CPU_KERNEL(SumRows)(context, grad_bias, grad_y, grad_y.shape.size() / channels, channels);
}

}  // namespace cpu
}  // namespace bitgate
