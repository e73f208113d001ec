// The ops of quantizers and gates, as functions of the module `ops`.
#include <pybind11/stl.h>

#include <array>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/python/bindings/bindings.h"
#include "api/python/bindings/sessions.h"
#include "ops/quant/bayesian_bits/bayesian_bits.h"
#include "ops/quant/bsq/bsq_activation.h"
#include "ops/quant/bsq/bsq_group_lasso.h"
#include "ops/quant/bsq/bsq_weight.h"
#include "ops/quant/fixed/fixed_quantize.h"
#include "ops/quant/gates/gates.h"
#include "ops/quant/noise/noise.h"
#include "runtime/base/error.h"

namespace bitgate::python {
namespace {

constexpr int64_t kGateWeight = 8;  // work for each gate, against an addition

py::arg Operand(const char* name) { return py::arg(name).none(false); }

TensorHandle BayesianBitsOp(const TensorHandle& x, const TensorHandle& range, const TensorHandle& gates,
                            const TensorHandle& channel_gates, bool is_signed) {
  return Apply(
      1,
      [&](Context& context, const Tensor& x, const Tensor& range, const Tensor& gates, const Tensor& channel_gates) {
        return BayesianBits(context, x, range, gates, channel_gates, is_signed);
      },
      x, range, gates, channel_gates);
}

TensorHandle FixedQuantizeOp(const TensorHandle& x, const TensorHandle& range, const TensorHandle& keep, float scale,
                             int32_t qmin, int32_t qmax, float low, float high, float frozen_range, bool clip_only) {
  if (!clip_only && !(scale > 0)) throw InvalidArgument("fixed_quantize: expected a scale above 0, got ", scale);
  if (!(frozen_range > 0)) {
    throw InvalidArgument("fixed_quantize: expected a frozen_range above 0, got ", frozen_range);
  }
  const FixedQuantizer quantizer{clip_only, scale, qmin, qmax, low, high, frozen_range};
  return Apply(
      1,
      [&](Context& context, const Tensor& x, const Tensor& range, const Tensor& keep) {
        return FixedQuantize(context, x, range, keep, quantizer);
      },
      x, range, keep);
}

TensorHandle BsqWeightOp(const TensorHandle& planes, const TensorHandle& row, const TensorHandle& scale, int bits) {
  return Apply(
      1,
      [&](Context& context, const Tensor& planes, const Tensor& row, const Tensor& scale) {
        return BsqWeight(context, planes, row, scale, bits);
      },
      planes, row, scale);
}

std::pair<TensorHandle, TensorHandle> BsqGroupLassoOp(const TensorHandle& planes, int bits, double weight) {
  const Entry entry;
  BsqLasso lasso;
  {
    const Unlocked unlocked(Elements(planes) > kLongWork);
    lasso = BsqGroupLasso(SessionOn(planes->value.device()).context(), planes->value, bits, weight);
  }
  return {api::NewVariable(lasso.penalty), api::NewVariable(lasso.decay)};
}

TensorHandle BsqActivationOp(const TensorHandle& x, const TensorHandle& alpha, const TensorHandle& largest, int bits) {
  return Apply(
      1,
      [&](Context& context, const Tensor& x, const Tensor& alpha, const Tensor& largest) {
        return BsqActivation(context, x, alpha, largest, bits);
      },
      x, alpha, largest);
}

TensorHandle BsqLargestOp(const TensorHandle& x, const TensorHandle& alpha) {
  return Apply(
      1, [&](Context& context, const Tensor& x, const Tensor& alpha) { return BsqLargest(context, x, alpha); }, x,
      alpha);
}

std::shared_ptr<const GateLayout> LayoutOf(const TensorHandle& phi, const std::vector<GateSite>& sites) {
  return std::make_shared<const GateLayout>(GateLayout{sites, Elements(phi)});
}

GateMode ModeOf(const std::string& name) {
  static const std::map<std::string, GateMode>& modes =
      *new std::map<std::string, GateMode>{{"stochastic", GateMode::kStochastic},
                                           {"deterministic", GateMode::kDeterministic},
                                           {"threshold", GateMode::kThreshold}};
  const auto found = modes.find(name);
  if (found != modes.end()) return found->second;
  throw InvalidArgument("gates: expected mode 'stochastic', 'deterministic' or 'threshold', got '", name, "'");
}

TensorHandle GatesOp(const TensorHandle& phi, const std::vector<GateSite>& sites, const TensorHandle& noise,
                     const std::string& mode) {
  const GateMode parsed = ModeOf(mode);
  const std::shared_ptr<const GateLayout> layout = LayoutOf(phi, sites);
  return Apply(
      kGateWeight,
      [&](Context& context, const Tensor& phi, const Tensor& noise) {
        return Gates(context, phi, noise, parsed, layout);
      },
      phi, noise);
}

TensorHandle GatePenaltyOp(const TensorHandle& phi, const std::vector<GateSite>& sites, double weight) {
  const std::shared_ptr<const GateLayout> layout = LayoutOf(phi, sites);
  return Apply(
      kGateWeight, [&](Context& context, const Tensor& phi) { return GatePenalty(context, phi, weight, layout); }, phi);
}

TensorHandle UniformNoiseOp(int64_t size, uint64_t seed, uint32_t stream, uint64_t step, const std::string& device) {
  const Entry entry;
  api::Session& session = SessionOn(ParseDevice(device));
  return session.Record([&] {
    const Unlocked unlocked(size > kLongWork);
    return UniformNoise(session.context(), {seed, stream, step}, size);
  });
}

// -- Names -----------------------------------------------------------------------------------------

void BindQuantizers(py::module_& ops) {
  ops.def(
      "bayesian_bits", BayesianBitsOp, Operand("x"), Operand("range"), Operand("gates"),
      py::arg("channel_gates") = py::none(), py::kw_only(), py::arg("signed") = true,
      R"(The Bayesian Bits quantizer (arXiv 2005.07093, section 2): clip, and the gated sum of residuals on its grids.

Args:
  x: any shape.
  range: [1], beta > 0.
  gates: [4], z4 z8 z16 z32 in [0, 1].
  channel_gates: [x.shape[0]], z2 of each output channel, or None for 1.
  signed: values in (-beta, beta); else (0, beta), and what is below 0 gives 0.

Returns x's shape. Differentiable by all four: x straight through within the bounds. Raises ValueError for what does not
fit.)");
  ops.def("fixed_quantize", FixedQuantizeOp, Operand("x"), Operand("range"), py::arg("keep") = py::none(),
          py::kw_only(), py::arg("scale") = 1.0f, py::arg("qmin") = 0, py::arg("qmax") = 0, py::arg("low") = 0.0f,
          py::arg("high") = 0.0f, py::arg("frozen_range") = 1.0f, py::arg("clip_only") = false,
          R"(A frozen quantizer: scale * clamp(round(x / scale), qmin, qmax), its lengths stretching with the range.

Args:
  x: any shape.
  range: [1], the current range end; the lengths are those of `frozen_range`.
  keep: [x.shape[0]], 1 or 0 (pruned), or None.
  scale: the step size, above 0.
  qmin, qmax: the least and the largest code.
  low, high: x gets a gradient strictly between.
  frozen_range: the range end that scale, low and high belong to, above 0.
  clip_only: clamp(x, low, high) instead (32 bits).

Returns x's shape. Differentiable by x (straight through) and range (LSQ). Raises ValueError for what does not fit.)");
}

void BindBsq(py::module_& ops) {
  ops.def("bsq_weight", BsqWeightOp, Operand("planes"), Operand("row"), Operand("scale"), py::arg("bits"),
          R"(BSQ's weights (arXiv 2102.10462, section 3.1): scale * Q(u), with bit planes for u.

u = sum over b of (P_b - M_b) 2^(bits - 1 - b) / (2^bits - 1), and Q rounds it to one of 2^bits - 1 steps of either sign.

Args:
  planes: [2 bits or more, elements...], P_0 to P_(bits-1), then M_0 to M_(bits-1), the most significant first.
  row: the result's shape, as many elements as a row of planes. Its values are never read: it takes the gradient of u.
  scale: [1].
  bits: 1 to 8.

Returns row's shape. Differentiable by row and scale, straight through. The gradient of P_b is row's times
2^(bits - 1 - b) / (2^bits - 1), that of M_b the negative; planes itself gets none. Raises ValueError for what does not
fit.)");
  ops.def("bsq_group_lasso", BsqGroupLassoOp, Operand("planes"), py::arg("bits"), py::arg("weight") = 1.0,
          R"(BSQ's group lasso over bit planes (arXiv 2102.10462, eq. 5), and its gradient as a decay of each row.

planes and bits as for bsq_weight(). Returns (penalty, decay): weight times the sum over b of the norm of (P_b, M_b), a
scalar, and [2 bits], what each row is multiplied by for its gradient. Not recorded. Raises ValueError for what does not
fit.)");
  ops.def("bsq_activation", BsqActivationOp, Operand("x"), py::arg("alpha") = py::none(),
          py::arg("largest") = py::none(), py::kw_only(), py::arg("bits"),
          R"(BSQ's activations: x clipped to [0, alpha], then to the nearest of 2^bits - 1 steps up to `largest`.

Args:
  x: any shape.
  alpha: [1], the bound that PACT learns (arXiv 1805.06085), or None for 6, ReLU6.
  largest: [1], a constant, or None for bsq_largest(x, alpha).
  bits: 1 to 16.

Returns x's shape. Differentiable by x, straight through within the bounds, and by alpha. Raises ValueError for what
does not fit.)");
  ops.def("bsq_largest", BsqLargestOp, Operand("x"), py::arg("alpha") = py::none(),
          "The largest element of x clipped to [0, alpha], [1]; alpha None is 6. NaNs are passed over. Not recorded.");
}

void BindGates(py::module_& ops) {
  py::class_<GateSite>(ops, "GateSite", R"(The gates of one quantizer, for gates() and gate_penalty().

Args:
  channels: number of z2, one gate a channel; 0: none.
  channel_offset: of their parameters in phi.
  level: places in phi of z4 z8 z16 z32, or GATE_OPEN or GATE_CLOSED for a gate that is not learned.
  cost: c2 c4 c8 c16 c32 of the regularizer.)")
      .def(py::init([](int64_t channels, int64_t channel_offset, const std::array<int64_t, 4>& level,
                       const std::array<double, 5>& cost) {
             return GateSite{channels, channel_offset, level, cost};
           }),
           py::kw_only(), py::arg("channels") = 0, py::arg("channel_offset") = 0,
           py::arg("level") = std::array<int64_t, 4>{kGateOpen, kGateOpen, kGateOpen, kGateOpen},
           py::arg("cost") = std::array<double, 5>{})
      .def_readwrite("channels", &GateSite::channels, "Number of z2; 0: none.")
      .def_readwrite("channel_offset", &GateSite::channel_offset, "Of the channels' parameters in phi.")
      .def_readwrite("level", &GateSite::level, "Places in phi of z4 z8 z16 z32, GATE_OPEN or GATE_CLOSED.")
      .def_readwrite("cost", &GateSite::cost, "c2 c4 c8 c16 c32 of the regularizer.");
  ops.attr("GATE_OPEN") = kGateOpen;
  ops.attr("GATE_CLOSED") = kGateClosed;
  ops.def("gates", GatesOp, Operand("phi"), py::arg("sites"), py::arg("noise") = py::none(), py::kw_only(),
          py::arg("mode") = "stochastic", R"(Hard-concrete gates z of all sites, from their parameters phi.

Args:
  phi: [parameters].
  sites: a list of GateSite.
  noise: uniform in (0, 1), [parameters], for mode "stochastic" (uniform_noise()); None for the others.
  mode: "stochastic" (drawn), "deterministic" (without noise) or "threshold" (0 or 1, as freezing decides; no gradient).

Returns, of each site in turn, its channels and then its four levels, in one dimension. Raises ValueError for what does
not fit.)");
  ops.def("gate_penalty", GatePenaltyOp, Operand("phi"), py::arg("sites"), py::arg("weight") = 1.0,
          R"(weight times the regularizer of all sites (arXiv 2005.07093, eq. 17), a scalar.

phi [parameters]; sites a list of GateSite. Differentiable. Raises ValueError for what does not fit.)");
  ops.def("uniform_noise", UniformNoiseOp, py::arg("size"), py::kw_only(), py::arg("seed"), py::arg("stream") = 0,
          py::arg("step") = 0, py::arg("device") = "cpu",
          "float32 [size], strictly between 0 and 1: a function of (seed, stream, step) alone, on every machine.");
}

}  // namespace

void BindQuantOps(py::module_& m) {
  py::module_ ops = m.attr("ops");
  BindQuantizers(ops);
  BindBsq(ops);
  BindGates(ops);
}

}  // namespace bitgate::python
