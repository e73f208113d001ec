// From what a graph allows to which gates there are.
#ifndef BITGATE_MODELS_QUANTIZED_GATE_LAYOUT_H_
#define BITGATE_MODELS_QUANTIZED_GATE_LAYOUT_H_

#include <vector>

#include "models/graph/site.h"
#include "models/quantized/parameter.h"
#include "models/quantized/quantizer.pb.h"
#include "ops/quant/gates/gates.h"

namespace bitgate {

// Of the levels of Bayesian Bits, in order.
inline constexpr int kBitWidths[] = {2, 4, 8, 16, 32};

// The gates of every site, in order. Widths up to the least allowed one are always open, those above the greatest
// always closed; a width that is not allowed shares the gate of the next allowed one above it, so that both open at
// once.
GateLayout MakeGateLayout(const std::vector<Site>& sites, double max_macs, QuantizerConfig::CostWeighting weighting);

// The declaration of the parameter "gates" for a layout, with parts "<site>/channel_gates" and "<site>/gates".
ParameterDeclaration DeclareGates(const std::vector<Site>& sites, const GateLayout& layout);

// Initial phi: `config.initial_gate`, its negative for initially_closed_bits.
std::vector<float> InitialGates(const GateLayout& layout, const QuantizerConfig& config);

}  // namespace bitgate

#endif  // BITGATE_MODELS_QUANTIZED_GATE_LAYOUT_H_
