// All gates of a network, computed by one kernel: values from their parameters, and the regularizer.
#ifndef BITGATE_OPS_QUANT_GATES_GATES_H_
#define BITGATE_OPS_QUANT_GATES_GATES_H_

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/device/context.h"
#include "runtime/tensor/tensor.h"

namespace bitgate {

// Where a gate's parameter phi is, or that the gate is not learned.
constexpr int64_t kGateOpen = -1;    // z = 1 always
constexpr int64_t kGateClosed = -2;  // z = 0 always, and all gates behind it

// The gates of one quantizer.
struct GateSite {
  int64_t channels = 0;        // z2: one gate per output channel, 0 for a quantizer without (z2 = 1)
  int64_t channel_offset = 0;  // of the channels' phi in the parameters
  // phi of z4, z8, z16, z32: an offset in the parameters, kGateOpen or kGateClosed. Neighbours that share an offset are
  // one gate, which opens both widths at once.
  std::array<int64_t, 4> level{kGateOpen, kGateOpen, kGateOpen, kGateOpen};
  // c2, c4, c8, c16, c32 of the regularizer.
  std::array<double, 5> cost{};
};

// Parameters: phi, float32 [parameters]. Values: z, float32 [values]; site i holds its channels from value_offset(i),
// followed by its four levels.
struct GateLayout {
  std::vector<GateSite> sites;
  int64_t parameters = 0;

  int64_t values() const;
  std::vector<int64_t> value_offsets() const;
};

enum class GateMode {
  kStochastic,     // drawn with noise u
  kDeterministic,  // hard-concrete without noise
  kThreshold,      // 0 or 1, as evaluation and freezing decide; no gradient
};

// z of every site. noise: u in (0, 1), [parameters], used in kStochastic only (a gate draws the u at its phi's offset).
// A level whose phi is at most -2, or that is closed, is 0 and so are the levels behind it; they pass no gradient.
Tensor Gates(Context& context, const Tensor& phi, const Tensor& noise, GateMode mode,
             std::shared_ptr<const GateLayout> layout);

// The regularizer, a scalar (shape []):  weight * sum over sites of R,  R = mean over channels of
//   c2 q2 + c4 q2 q4 + c8 q2 q4 q8 + ...,   q = P(z > 0)   (arXiv 2005.07093, eq. 17)
// and 1 + c4 q4 + c8 q4 q8 + ... for a site without channel gates. An open gate has q = 1; closed levels add nothing.
// All phi count, also those that the cascade cuts.
Tensor GatePenalty(Context& context, const Tensor& phi, double weight, std::shared_ptr<const GateLayout> layout);

}  // namespace bitgate

#endif  // BITGATE_OPS_QUANT_GATES_GATES_H_
