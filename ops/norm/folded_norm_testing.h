// What the tests of folded batch norm share.
#ifndef BITGATE_OPS_NORM_FOLDED_NORM_TESTING_H_
#define BITGATE_OPS_NORM_FOLDED_NORM_TESTING_H_

#include <algorithm>
#include <cmath>
#include <sstream>
#include <string>
#include <vector>

#include "ops/op_testing.h"

namespace bitgate {
namespace testing {

using In = const std::vector<Tensor>&;
using Doubles = std::vector<double>;

constexpr double kSmallEpsilon = 1e-5f;
constexpr double kSums = 16;  // roundings: sums over few rows are float32

// Narrow and wide rows, around vectors and tiles, and more rows than a block takes.
inline const std::vector<Shape>& FoldedShapes() {
  static const auto* const shapes =
      new std::vector<Shape>{{2, 1},    {2, 3},    {5, 16},   {33, 17},  {2, 3, 4, 8}, {100, 127}, {10, 129},
                             {40, 256}, {6, 1000}, {2, 5003}, {3001, 3}, {9000, 20},   {700, 64},  {20000, 4}};
  return *shapes;
}

inline std::string NameOf(const Shape& shape) {
  std::ostringstream name;
  name << shape;
  return name.str();
}

// Values with a gap around 0: none that a rounding could move across it.
inline Tensor AwayFromZero(Context& context, const Shape& shape, uint32_t seed) {
  auto values = RandomValues(shape.size(), seed);
  for (float& value : values) value += value < 0 ? -0.25f : 0.25f;
  return FromHost(context, values, shape);
}

// d sum(weights f(inputs)) / d inputs[k], by central differences of a function in double, over a share of each input.
template <class F>
Doubles Differences(const F& f, std::vector<Doubles> inputs, size_t k, const std::vector<float>& weights,
                    double share = 1e-5) {
  Doubles gradient(inputs[k].size());
  const auto loss = [&] {
    const Doubles y = f(inputs);
    double sum = 0;
    for (size_t i = 0; i < y.size(); ++i) sum += y[i] * weights[i];
    return sum;
  };
  for (size_t i = 0; i < gradient.size(); ++i) {
    const double before = inputs[k][i], distance = share * std::abs(before) + 1e-9;
    inputs[k][i] = before + distance;
    const double above = loss();
    inputs[k][i] = before - distance;
    gradient[i] = (above - loss()) / (2 * distance);
    inputs[k][i] = before;
  }
  return gradient;
}

// The op's result and all gradients against f in double and its differences.
template <class F>
void ExpectDerivatives(Context& context, const Forward& op, const F& f, const std::vector<Tensor>& inputs,
                       const Shape& result, double tolerance = 2e-5) {
  const Tensor weights = RandomTensor(context, result, 77);
  const auto results = RunWithGradients(context, op, inputs, weights);
  std::vector<Doubles> values;
  for (const Tensor& input : inputs) {
    const auto floats = ToHost<float>(context, input);
    values.emplace_back(floats.begin(), floats.end());
  }
  const auto near = [&](const Tensor& actual, const Doubles& expected, const std::string& what) {
    const auto got = ToHost<float>(context, actual);
    ASSERT_EQ(got.size(), expected.size()) << what;
    for (size_t i = 0; i < got.size(); ++i) {
      EXPECT_NEAR(got[i], expected[i], tolerance * (1 + std::abs(expected[i]))) << what << " at " << i;
    }
  };
  near(results[0], f(values), "result");
  const auto host = ToHost<float>(context, weights);
  for (size_t k = 0; k < inputs.size(); ++k) {
    near(results[k + 1], Differences(f, values, k, host), "gradient of input " + std::to_string(k));
  }
}

// Operands of the ops, and a gradient of the result.
struct FoldedCase {
  Tensor y, statistics, gamma, beta, running_mean, running_variance, g;
};

inline FoldedCase MakeFoldedCase(Context& context, const Shape& shape) {
  const int64_t channels = shape[shape.rank() - 1];
  auto statistics = RandomValues(2 * channels, 2);
  for (int64_t c = 0; c < channels; ++c) statistics[channels + c] = 1.25f + statistics[channels + c];  // variances
  return {RandomTensor(context, shape, 1, -2, 3), FromHost(context, statistics, {2, channels}),
          AwayFromZero(context, {channels}, 3),   RandomTensor(context, {channels}, 4),
          RandomTensor(context, {channels}, 5),   RandomTensor(context, {channels}, 6, 0.25f, 2),
          RandomTensor(context, shape, 7)};
}

}  // namespace testing
}  // namespace bitgate

#endif  // BITGATE_OPS_NORM_FOLDED_NORM_TESTING_H_
