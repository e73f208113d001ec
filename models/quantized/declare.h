// Declarations that methods share: a weight per weight site, a range per site.
#ifndef BITGATE_MODELS_QUANTIZED_DECLARE_H_
#define BITGATE_MODELS_QUANTIZED_DECLARE_H_

#include <vector>

#include "models/graph/site.h"
#include "models/quantized/parameter.h"

namespace bitgate {

// "<layer>/weight" of every weight site, in order.
inline std::vector<ParameterDeclaration> DeclareWeights(const std::vector<Site>& sites) {
  std::vector<ParameterDeclaration> all;
  for (const Site& site : sites) {
    if (site.role != Role::kWeight) continue;
    ParameterDeclaration weight;
    weight.name = site.name;
    weight.shape = Shape(site.shape);
    all.push_back(weight);
  }
  return all;
}

// The least range end: a tensor that was never positive would divide by zero.
constexpr float kLeastRange = 1e-6f;

// The range of every site as one parameter with parts "<site>/range".
inline ParameterDeclaration DeclareRanges(const std::vector<Site>& sites) {
  ParameterDeclaration ranges;
  ranges.name = "ranges";
  ranges.shape = Shape{static_cast<int64_t>(sites.size())};
  ranges.group = ParameterGroup::kRanges;
  ranges.low = kLeastRange;
  for (size_t i = 0; i < sites.size(); ++i) {
    ranges.parts.push_back({sites[i].name + "/range", static_cast<int64_t>(i), Shape{1}});
  }
  return ranges;
}

// Parameters by site (null for activations) from those bound in DeclareWeights' order; *next moves past them.
inline std::vector<Parameter*> BindWeights(const std::vector<Site>& sites, const std::vector<Parameter*>& parameters,
                                           size_t* next) {
  std::vector<Parameter*> weights;
  for (const Site& site : sites) {
    weights.push_back(site.role == Role::kWeight ? parameters.at((*next)++) : nullptr);
  }
  return weights;
}

}  // namespace bitgate

#endif  // BITGATE_MODELS_QUANTIZED_DECLARE_H_
