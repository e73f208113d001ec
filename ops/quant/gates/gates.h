// All gates of a network, computed by one kernel: values from their parameters, and the regularizer.
//
// Between devices values, gradients and penalty differ by what their exponentials and logarithms differ: a few units in
// the last place. Which gates a cascade cuts and which a threshold opens is the same everywhere.
#ifndef BITGATE_OPS_QUANT_GATES_GATES_H_
#define BITGATE_OPS_QUANT_GATES_GATES_H_

#include <memory>

#include "ops/quant/gates/gate_layout.h"
#include "runtime/device/context.h"
#include "runtime/tensor/tensor.h"

namespace bitgate {

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
