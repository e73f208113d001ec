#include "api/c/run_op.h"
#include "ops/quant/bayesian_bits/bayesian_bits.h"
#include "ops/quant/bsq/bsq_activation.h"
#include "ops/quant/bsq/bsq_group_lasso.h"
#include "ops/quant/bsq/bsq_weight.h"
#include "ops/quant/fixed/fixed_quantize.h"
#include "ops/quant/gates/gates.h"
#include "ops/quant/noise/noise.h"

namespace bitgate::c {
namespace {

static_assert(BG_GATE_OPEN == kGateOpen && BG_GATE_CLOSED == kGateClosed);

// The array's elements are as far apart as the caller's structs are long.
std::shared_ptr<const GateLayout> LayoutOf(const char* function, const bg_gate_site* sites, int32_t count,
                                           const Tensor& phi) {
  if (count < 1) throw InvalidArgument(function, ": expected at least one site, got ", count);
  Require(function, "sites", sites);
  CheckStructSize(function, "sites", sites[0]);
  const char* bytes = reinterpret_cast<const char*>(sites);
  auto layout = std::make_shared<GateLayout>();
  layout->parameters = phi.size();
  const size_t stride = sites[0].struct_size;
  if (stride % alignof(bg_gate_site) != 0) {
    throw InvalidArgument(function, ": expected sites with a struct_size that is a multiple of ", alignof(bg_gate_site),
                          ", got ", stride);
  }
  for (int32_t i = 0; i < count; ++i) {
    const auto* here = reinterpret_cast<const bg_gate_site*>(bytes + stride * static_cast<size_t>(i));
    if (here->struct_size != stride) {
      throw InvalidArgument(function, ": expected sites of one struct_size, got ", stride, " and, at index ", i, ", ",
                            here->struct_size);
    }
    const bg_gate_site given = ReadStruct(function, "sites", here);
    GateSite site;
    site.channels = given.channels;
    site.channel_offset = given.channel_offset;
    std::copy(given.level, given.level + 4, site.level.begin());
    std::copy(given.cost, given.cost + 5, site.cost.begin());
    layout->sites.push_back(site);
  }
  return layout;
}

GateMode CheckedMode(const bg_gate_mode& mode) {
  switch (NumberOf(mode)) {
    case BG_GATES_STOCHASTIC:
      return GateMode::kStochastic;
    case BG_GATES_DETERMINISTIC:
      return GateMode::kDeterministic;
    case BG_GATES_THRESHOLD:
      return GateMode::kThreshold;
  }
  throw InvalidArgument("bg_gates: expected a bg_gate_mode, got ", NumberOf(mode));
}

FixedQuantizer QuantizerOf(const bg_fixed_quantizer* quantizer) {
  const bg_fixed_quantizer given =
      ReadStruct("bg_fixed_quantize", "quantizer", &Require("bg_fixed_quantize", "quantizer", quantizer));
  FixedQuantizer result;
  result.clip_only = given.clip_only != 0;
  result.scale = given.scale;
  result.qmin = given.qmin;
  result.qmax = given.qmax;
  result.low = given.low;
  result.high = given.high;
  result.range = given.range;
  return result;
}

}  // namespace
}  // namespace bitgate::c

using bitgate::Context;
using bitgate::c::Guard;
using bitgate::c::LayoutOf;
using bitgate::c::NewTensor;
using bitgate::c::OpCall;
using bitgate::c::Require;
using bitgate::c::RunOp;
using bitgate::c::Tensors;

bg_status bg_bayesian_bits(bg_context* context, bg_tensor* x, bg_tensor* range, bg_tensor* gates,
                           bg_tensor* channel_gates, int32_t is_signed, bg_tensor** y) {
  return RunOp("bg_bayesian_bits", context,
               {{"x", x}, {"range", range}, {"gates", gates}, {"channel_gates", channel_gates, true}}, y,
               [&](Context& context, const Tensors& operands) {
                 return bitgate::BayesianBits(context, operands[0], operands[1], operands[2], operands[3],
                                              is_signed != 0);
               });
}

bg_status bg_fixed_quantize(bg_context* context, bg_tensor* x, bg_tensor* range, bg_tensor* keep,
                            const bg_fixed_quantizer* quantizer, bg_tensor** y) {
  return RunOp("bg_fixed_quantize", context, {{"x", x}, {"range", range}, {"keep", keep, true}}, y,
               [&](Context& context, const Tensors& operands) {
                 return bitgate::FixedQuantize(context, operands[0], operands[1], operands[2],
                                               bitgate::c::QuantizerOf(quantizer));
               });
}

bg_status bg_bsq_weight(bg_context* context, bg_tensor* planes, bg_tensor* row, bg_tensor* scale, int32_t bits,
                        bg_tensor** y) {
  return RunOp("bg_bsq_weight", context, {{"planes", planes}, {"row", row}, {"scale", scale}}, y,
               [&](Context& context, const Tensors& operands) {
                 return bitgate::BsqWeight(context, operands[0], operands[1], operands[2], bits);
               });
}

bg_status bg_bsq_group_lasso(bg_context* context, bg_tensor* planes, int32_t bits, double weight, bg_tensor** penalty,
                             bg_tensor** decay) {
  return Guard([&] {
    OpCall call("bg_bsq_group_lasso", context, {{"planes", planes}});
    Require("bg_bsq_group_lasso", "penalty", penalty);
    Require("bg_bsq_group_lasso", "decay", decay);
    const bitgate::BsqLasso lasso = bitgate::BsqGroupLasso(call.context(), call.Values()[0], bits, weight);
    auto value = std::unique_ptr<bg_tensor>(NewTensor(bitgate::api::NewVariable(lasso.penalty)));
    *decay = NewTensor(bitgate::api::NewVariable(lasso.decay));
    *penalty = value.release();
  });
}

bg_status bg_bsq_activation(bg_context* context, bg_tensor* x, bg_tensor* alpha, bg_tensor* largest, int32_t bits,
                            bg_tensor** y) {
  return RunOp("bg_bsq_activation", context, {{"x", x}, {"alpha", alpha, true}, {"largest", largest, true}}, y,
               [&](Context& context, const Tensors& operands) {
                 return bitgate::BsqActivation(context, operands[0], operands[1], operands[2], bits);
               });
}

bg_status bg_bsq_largest(bg_context* context, bg_tensor* x, bg_tensor* alpha, bg_tensor** y) {
  return RunOp("bg_bsq_largest", context, {{"x", x}, {"alpha", alpha, true}}, y,
               [&](Context& context, const Tensors& operands) {
                 return bitgate::BsqLargest(context, operands[0], operands[1]);
               });
}

bg_status bg_gates(bg_context* context, bg_tensor* phi, bg_tensor* noise, bg_gate_mode mode, const bg_gate_site* sites,
                   int32_t site_count, bg_tensor** z) {
  return RunOp(
      "bg_gates", context, {{"phi", phi}, {"noise", noise, true}}, z,
      [&](Context& context, const Tensors& operands) {
        return bitgate::Gates(context, operands[0], operands[1], bitgate::c::CheckedMode(mode),
                              LayoutOf("bg_gates", sites, site_count, operands[0]));
      },
      "z");
}

bg_status bg_gate_penalty(bg_context* context, bg_tensor* phi, double weight, const bg_gate_site* sites,
                          int32_t site_count, bg_tensor** y) {
  return RunOp("bg_gate_penalty", context, {{"phi", phi}}, y, [&](Context& context, const Tensors& operands) {
    return bitgate::GatePenalty(context, operands[0], weight,
                                LayoutOf("bg_gate_penalty", sites, site_count, operands[0]));
  });
}

bg_status bg_uniform_noise(bg_context* context, uint64_t seed, uint32_t stream, uint64_t step, int64_t size,
                           bg_tensor** y) {
  return RunOp("bg_uniform_noise", context, {}, y, [&](Context& context, const Tensors&) {
    return bitgate::UniformNoise(context, {seed, stream, step}, size);
  });
}
