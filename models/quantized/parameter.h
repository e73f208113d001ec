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
  std::vector<ParameterPart> parts;  // covering the parameter; empty: one part, itself
};

// A declaration and its float32 value. Address and value's storage stay the same while the network's method does.
struct Parameter {
  ParameterDeclaration declaration;
  Tensor value;
};

}  // namespace bitgate

#endif  // BITGATE_MODELS_QUANTIZED_PARAMETER_H_
