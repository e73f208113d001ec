// What a layer kind needs to run: its node and its operands.
#ifndef BITGATE_MODELS_NN_LAYER_CALL_H_
#define BITGATE_MODELS_NN_LAYER_CALL_H_

#include <string>
#include <vector>

#include "models/graph/graph.h"
#include "ops/elementwise/activation.h"
#include "ops/operand_steps.h"
#include "runtime/device/context.h"
#include "runtime/tensor/tensor.h"

namespace bitgate {

struct LayerCall {
  Context& context;
  const Node& node;
  std::vector<Tensor> inputs;  // [n, ...]
  Tensor weight, bias;         // quantized already; undefined where the layer has none
  Activation activation;       // to be applied to the result; never other than kNone unless the kind fuses it
  OperandSteps steps = {};     // of inputs[0] and weight, of a kind that has a weight
};

struct LayerForward {
  Tensor (*run)(const LayerCall& call);
  bool fuses_activation;         // whether `activation` may be kRelu
  bool keeps_multiples = false;  // whether multiples of some number come out as multiples of it, and none greater
};

// Throws Internal, naming the kind, if nn lacks it (a test makes sure that it lacks none of LayerKindNames()).
const LayerForward& FindLayerForward(const std::string& kind);

}  // namespace bitgate

#endif  // BITGATE_MODELS_NN_LAYER_CALL_H_
