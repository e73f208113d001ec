// What training sees of a network: named tensors in groups that may have an optimizer each.
#ifndef BITGATE_MODELS_QUANTIZED_PARAMETER_H_
#define BITGATE_MODELS_QUANTIZED_PARAMETER_H_

#include <limits>
#include <string>
#include <vector>

#include "runtime/tensor/tensor.h"

namespace bitgate {

// The three groups of Bayesian Bits (methods: weights and biases; gate parameters phi; range ends beta).
enum class ParameterGroup { kWeights, kGates, kRanges };

// A stretch of a parameter that has a name of its own in files: "conv1/weight/range" is one element of the ranges.
struct ParameterPart {
  std::string name;
  int64_t offset;  // in elements of the flat parameter
  Shape shape;
};

struct ParameterDeclaration {
  std::string name;
  Shape shape;
  ParameterGroup group = ParameterGroup::kWeights;
  float low = -std::numeric_limits<float>::infinity();  // the optimizer clamps to [low, high] after each step
  float high = std::numeric_limits<float>::infinity();
  bool learned = true;               // false: state that files hold and no optimizer touches
  std::vector<ParameterPart> parts;  // covering the parameter; empty: one part, itself
};

// A declaration and its float32 value. Address and value's storage stay the same while the network's method does.
//
// A parameter may be rows that share one gradient (ops/optim's ParameterUpdate): its method then gives it a row for the
// tape to watch, and what the optimizer adds to that gradient. All of them are read after each backward pass.
struct Parameter {
  ParameterDeclaration declaration;
  Tensor value;
  Tensor row = {};               // of a row's size; undefined: the value itself is on the tape
  Tensor gain = {}, decay = {};  // [rows]; undefined: 1, respectively 0

  Tensor& leaf() { return row.defined() ? row : value; }
};

}  // namespace bitgate

#endif  // BITGATE_MODELS_QUANTIZED_PARAMETER_H_
