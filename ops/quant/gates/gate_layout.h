// Which gates a network has, where their parameters and values are, and how a value is made of a parameter.
#ifndef BITGATE_OPS_QUANT_GATES_GATE_LAYOUT_H_
#define BITGATE_OPS_QUANT_GATES_GATE_LAYOUT_H_

#include <array>
#include <cstdint>
#include <mutex>
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

// What a layout keeps on devices. A copy starts without: its layout may be changed.
class GateTables {
 public:
  GateTables() = default;
  GateTables(const GateTables&) {}
  GateTables& operator=(const GateTables&);

 private:
  friend struct GateLayout;
  std::mutex mutex_;
  std::vector<Tensor> tables_;  // one per device
};

// Parameters: phi, float32 [parameters]. Values: z, float32 [values]; site i holds its channels from value_offset(i),
// followed by its four levels.
struct GateLayout {
  GateLayout() = default;
  GateLayout(std::vector<GateSite> sites, int64_t parameters);

  std::vector<GateSite> sites;
  int64_t parameters = 0;

  int64_t values() const;
  std::vector<int64_t> value_offsets() const;

  // The layout as kernels of the context's device read it (ops/quant/gates/gate_table.h): uploaded by the first call
  // for each device and kept, so the layout must not change any more. A first call within a capture throws
  // NotCapturable. Thread-safe. The layout must fit, which the ops below check.
  Tensor Table(Context& context) const;

 private:
  mutable GateTables tables_;
};

enum class GateMode {
  kStochastic,     // drawn with noise u
  kDeterministic,  // hard-concrete without noise
  kThreshold,      // 0 or 1, as evaluation and freezing decide; no gradient
};

}  // namespace bitgate

#endif  // BITGATE_OPS_QUANT_GATES_GATE_LAYOUT_H_
