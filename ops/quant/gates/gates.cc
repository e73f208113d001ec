#include "ops/quant/gates/gates.h"

#include "ops/operand.h"
#include "ops/quant/gates/gates_kernels.h"
#include "runtime/autograd/tape.h"
#include "runtime/base/error.h"
#include "runtime/kernel/dispatch.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

const KernelTable<decltype(cpu::GateValues)> kValues{&cpu::GateValues, nullptr};
const KernelTable<decltype(cpu::GateGradients)> kGradients{&cpu::GateGradients, nullptr};
const KernelTable<decltype(cpu::GatePenalty)> kPenalty{&cpu::GatePenalty, nullptr};

void CheckPhi(const Context& context, const char* name, const Tensor& phi, const GateLayout& layout) {
  CheckOperandShape(context, name, "phi", phi, {layout.parameters});
  for (const GateSite& site : layout.sites) {
    bool fits = site.channels >= 0 && site.channel_offset >= 0 && site.channel_offset <= layout.parameters &&
                site.channels <= layout.parameters - site.channel_offset;
    for (int64_t offset : site.level) fits = fits && offset >= kGateClosed && offset < layout.parameters;
    if (!fits) throw InvalidArgument(name, ": expected gate offsets below ", layout.parameters, " in the layout");
  }
}

}  // namespace

int64_t GateLayout::values() const {
  int64_t count = 0;
  for (const GateSite& site : sites) count += site.channels + 4;
  return count;
}

std::vector<int64_t> GateLayout::value_offsets() const {
  std::vector<int64_t> offsets;
  int64_t offset = 0;
  for (const GateSite& site : sites) {
    offsets.push_back(offset);
    offset += site.channels + 4;
  }
  return offsets;
}

Tensor Gates(Context& context, const Tensor& phi, const Tensor& noise, GateMode mode,
             std::shared_ptr<const GateLayout> layout) {
  CheckPhi(context, "gates", phi, *layout);
  if (mode == GateMode::kStochastic) CheckOperandShape(context, "gates", "noise", noise, phi.shape());
  Tensor z = Empty(context, {layout->values()});
  const Tensor derivatives = Empty(context, z.shape());
  kValues.For(context.device(), "gates")(context.kernel(), z.view(), derivatives.view(), phi.view(), noise.view(), mode,
                                         *layout);
  RecordOp(context, {&phi}, z,
           [derivatives, layout, shape = phi.shape()](Context& context, const Tensor& grad_z, GradientSink& sink) {
             const Tensor grad_phi = Empty(context, shape);
             kGradients.For(context.device(), "gates")(context.kernel(), grad_phi.view(), grad_z.view(),
                                                       derivatives.view(), *layout);
             sink.Set(0, grad_phi);
           });
  return z;
}

Tensor GatePenalty(Context& context, const Tensor& phi, double weight, std::shared_ptr<const GateLayout> layout) {
  CheckPhi(context, "gate_penalty", phi, *layout);
  Tensor penalty = Empty(context, Shape());
  const Tensor grad_phi = Empty(context, phi.shape());
  kPenalty.For(context.device(), "gate_penalty")(context.kernel(), penalty.view(), grad_phi.view(), phi.view(), weight,
                                                 *layout);
  // The loss adds the penalty as it is, so the gradient that arrives here is one number; it is 1 in training.
  RecordOp(context, {&phi}, penalty, [grad_phi](Context& context, const Tensor& grad, GradientSink& sink) {
    const float upstream = ToHost<float>(context, grad)[0];
    if (upstream == 1.0f) return sink.Set(0, grad_phi);
    std::vector<float> scaled = ToHost<float>(context, grad_phi);
    for (float& value : scaled) value *= upstream;
    sink.Set(0, FromHost(context, scaled, grad_phi.shape()));
  });
  return penalty;
}

}  // namespace bitgate
