#include "ops/quant/gates/gates.h"

#include "ops/operand.h"
#include "ops/quant/gates/gates_kernels.h"
#include "ops/scaled/scaled.h"
#include "runtime/autograd/tape.h"
#include "runtime/base/error.h"
#include "runtime/kernel/dispatch.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

constexpr KernelTable<decltype(cpu::GateValues)> kValues{&cpu::GateValues, BG_CUDA_KERNEL(GateValues)};
constexpr KernelTable<decltype(cpu::GateGradients)> kGradients{&cpu::GateGradients, BG_CUDA_KERNEL(GateGradients)};
constexpr KernelTable<decltype(cpu::GatePenalty)> kPenalty{&cpu::GatePenalty, BG_CUDA_KERNEL(GatePenalty)};

// Undefined on the CPU, whose kernels read the layout.
Tensor TableFor(Context& context, const GateLayout& layout) {
  return context.device().type == DeviceType::kCpu ? Tensor() : layout.Table(context);
}

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

Tensor Gates(Context& context, const Tensor& phi, const Tensor& noise, GateMode mode,
             std::shared_ptr<const GateLayout> layout) {
  CheckPhi(context, "gates", phi, *layout);
  if (mode == GateMode::kStochastic) CheckOperandShape(context, "gates", "noise", noise, phi.shape());
  const Tensor table = TableFor(context, *layout);
  Tensor z = Empty(context, {layout->values()});
  const Tensor derivatives = Empty(context, z.shape());
  kValues.For(context.device(), "gates")(context.kernel(), z.view(), derivatives.view(), phi.view(), noise.view(), mode,
                                         *layout, table.view());
  RecordOp(
      context, {&phi}, z,
      [derivatives, layout, table, shape = phi.shape()](Context& context, const Tensor& grad_z, GradientSink& sink) {
        const Tensor grad_phi = Empty(context, shape);
        kGradients.For(context.device(), "gates")(context.kernel(), grad_phi.view(), grad_z.view(), derivatives.view(),
                                                  *layout, table.view());
        sink.Set(0, grad_phi);
      });
  return z;
}

Tensor GatePenalty(Context& context, const Tensor& phi, double weight, std::shared_ptr<const GateLayout> layout) {
  CheckPhi(context, "gate_penalty", phi, *layout);
  Tensor penalty = Empty(context, Shape());
  const Tensor grad_phi = Empty(context, phi.shape());
  kPenalty.For(context.device(), "gate_penalty")(context.kernel(), penalty.view(), grad_phi.view(), phi.view(), weight,
                                                 *layout, TableFor(context, *layout).view());
  RecordOp(context, {&phi}, penalty, [grad_phi](Context& context, const Tensor& grad, GradientSink& sink) {
    sink.Set(0, sink.unit() ? grad_phi : Scaled(context, "gate_penalty backward", grad_phi, grad));
  });
  return penalty;
}

}  // namespace bitgate
