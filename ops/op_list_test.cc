// Holds ops/op_list.inc to what it says.
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "ops/conv/conv.h"
#include "ops/elementwise/elementwise.h"
#include "ops/elementwise/pad_channels.h"
#include "ops/elementwise/reshape.h"
#include "ops/linalg/linalg.h"
#include "ops/loss/loss.h"
#include "ops/norm/folded_norm.h"
#include "ops/norm/norm.h"
#include "ops/op_testing.h"
#include "ops/pool/pool.h"
#include "ops/reduce/reduce.h"

namespace bitgate {
namespace {

using testing::Forward;
using testing::RandomTensor;

enum class Bits { kSame, kSameElements, kRounded };
enum class GradientKind { kNone, kDerivative, kOwnFormula };

struct ListedOp {
  std::string name, header;
  Bits bits;
  GradientKind gradient;
};

const std::vector<ListedOp>& ListedOps() {
  static const auto* const ops = new std::vector<ListedOp>{
#define BG_OP(name, header, bits, gradient) {#name, header, Bits::bits, GradientKind::gradient},
#include "ops/op_list.inc"
#undef BG_OP
  };
  return *ops;
}

struct GradientCase {
  Forward forward;
  std::vector<Tensor> inputs;  // those of float32 are differentiated
};

// Values 1/16 apart, in random order, none within 1/32 of 0: moving each by less than 1/32 changes no maximum and no
// sign.
Tensor Separated(Context& context, const Shape& shape) {
  const auto keys = testing::RandomValues(shape.size(), 9);
  std::vector<float> values(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    int rank = 0;
    for (const float key : keys) rank += key < keys[i];
    values[i] = (static_cast<float>(rank) - static_cast<float>(keys.size() / 2) + 0.5f) / 16.0f;
  }
  return FromHost(context, values, shape);
}

using In = const std::vector<Tensor>&;

std::map<std::string, GradientCase> GradientCases(Context& context) {
  const auto random = [&](const Shape& shape) {
    return RandomTensor(context, shape, static_cast<uint32_t>(shape.size()));
  };
  const Tensor labels = FromHost<int32_t>(context, {2, 0, 4}, {3});
  const Tensor image = Separated(context, {2, 5, 6, 3});
  const Tensor mean = random({3}), variance = RandomTensor(context, {3}, 4, 1, 2);
  const Pool2dParams pool{{3, 2}, {2, 2}, {1, 0}};
  return {
      {"Conv2d",
       {[](Context& c, In x) {
          return Conv2d(c, x[0], x[1], x[2], {{2, 1}, {1, 0}});
        },
        {random({2, 5, 6, 3}), random({4, 3, 2, 3}), random({4})}}},
      {"Linear",
       {[](Context& c, In x) { return Linear(c, x[0], x[1], x[2]); }, {random({5, 7}), random({3, 7}), random({3})}}},
      {"MatMul",
       {[](Context& c, In x) { return MatMul(c, x[0], x[1], true, false); }, {random({7, 5}), random({7, 3})}}},
      {"Sum", {[](Context& c, In x) { return Sum(c, x[0]); }, {random({3, 7})}}},
      {"Mean", {[](Context& c, In x) { return Mean(c, x[0]); }, {random({3, 7})}}},
      {"SumRows", {[](Context& c, In x) { return SumRows(c, x[0]); }, {random({3, 7})}}},
      {"Relu", {[](Context& c, In x) { return Relu(c, x[0]); }, {Separated(context, {5, 7})}}},
      {"Add", {[](Context& c, In x) { return Add(c, x[0], x[1]); }, {random({19}), random({19})}}},
      {"Mul", {[](Context& c, In x) { return Mul(c, x[0], x[1]); }, {random({19}), random({19})}}},
      {"Scale", {[](Context& c, In x) { return Scale(c, x[0], -1.5f); }, {random({19})}}},
      {"Reshape",
       {[](Context& c, In x) {
          return Reshape(c, x[0], {3, 4});
        },
        {random({2, 6})}}},
      {"Flatten", {[](Context& c, In x) { return Flatten(c, x[0]); }, {random({2, 3, 4})}}},
      {"Slice", {[](Context& c, In x) { return Slice(c, x[0], 3, 11); }, {random({19})}}},
      {"PadChannels", {[](Context& c, In x) { return PadChannels(c, x[0], 6); }, {random({2, 2, 3})}}},
      {"MaxPool2d", {[=](Context& c, In x) { return MaxPool2d(c, x[0], pool); }, {image}}},
      {"AveragePool2d", {[=](Context& c, In x) { return AveragePool2d(c, x[0], pool); }, {image}}},
      {"BatchNorm",
       {[](Context& c, In x) { return BatchNorm(c, x[0], x[1], x[2], Zeros(c, {3}), Zeros(c, {3})); },
        {image, random({3}), random({3})}}},
      {"ChannelStatistics", {[](Context& c, In x) { return ChannelStatistics(c, x[0]); }, {random({4, 3})}}},
      {"ScaleRows", {[](Context& c, In x) { return ScaleRows(c, x[0], x[1]); }, {random({3, 7}), random({3})}}},
      {"FoldedGain", {[=](Context& c, In x) { return FoldedGain(c, x[0], variance); }, {random({3})}}},
      {"FoldedShift",
       {[=](Context& c, In x) { return FoldedShift(c, x[0], x[1], mean, variance); }, {random({3}), random({3})}}},
      {"FoldedBatchNorm",
       {[=](Context& c, In x) { return FoldedBatchNorm(c, x[0], x[1], x[2], x[3], variance, {4}); },
        {image, RandomTensor(context, {2, 3}, 6), random({3}), random({3})}}},
      {"FoldedBatchNormOfResult",
       {[](Context& c, In x) {
          return FoldedBatchNormOfResult(c, x[0], x[1], x[2], x[3], Zeros(c, {3}), Zeros(c, {3}), {0.1f, 0.25f});
        },
        {image, RandomTensor(context, {3}, 3, 0.5f, 1), random({3}), RandomTensor(context, {3}, 4, 0.5f, 1)}}},
      {"SoftmaxCrossEntropy",
       {[](Context& c, In x) { return SoftmaxCrossEntropy(c, x[0], x[1]); }, {random({3, 5}), labels}}},
  };
}

// sum of y * weights, in double
double Loss(Context& context, const Tensor& y, const std::vector<float>& weights) {
  const auto values = ToHost<float>(context, y);
  double loss = 0;
  for (size_t i = 0; i < values.size(); ++i) loss += double{values[i]} * weights[i];
  return loss;
}

Tensor Moved(Context& context, const Tensor& x, const std::vector<float>& direction, float distance) {
  auto values = ToHost<float>(context, x);
  for (size_t i = 0; i < values.size(); ++i) values[i] += distance * direction[i];
  return FromHost(context, values, x.shape());
}

// The slope along a random direction of each input, by central differences: exact but for rounding for an op linear in
// that input; the loss' third derivative adds about distance^2.
void CheckGradients(Context& context, const std::string& name, const GradientCase& test) {
  constexpr float kDistance = 1.0f / 64;
  const Tensor y = test.forward(context, test.inputs);
  const auto weights = testing::RandomValues(y.size(), 5);
  const auto results =
      testing::RunWithGradients(context, test.forward, test.inputs, FromHost(context, weights, y.shape()));
  for (size_t k = 0; k < test.inputs.size(); ++k) {
    if (test.inputs[k].dtype() != DType::kFloat32) continue;
    const auto direction = testing::RandomValues(test.inputs[k].size(), 6 + static_cast<uint32_t>(k));
    const auto gradient = ToHost<float>(context, results[k + 1]);
    double expected = 0, magnitude = 0;
    for (size_t i = 0; i < gradient.size(); ++i) {
      expected += double{gradient[i]} * direction[i];
      magnitude += std::abs(double{gradient[i]} * direction[i]);
    }
    std::vector<Tensor> above = test.inputs, below = test.inputs;
    above[k] = Moved(context, test.inputs[k], direction, kDistance);
    below[k] = Moved(context, test.inputs[k], direction, -kDistance);
    const double difference =
        Loss(context, test.forward(context, above), weights) - Loss(context, test.forward(context, below), weights);
    // 1e-4 of the terms: float32 rounding of the forward (1e-7) over the distance, and distance^2 / 6.
    EXPECT_NEAR(difference / (2 * kDistance), expected, 1e-4 * (magnitude + 1)) << name << ", input " << k;
  }
}

std::string ReadFile(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TEST(OpList, EveryDifferentiableOpHasAGradientThatIsItsDerivative) {
  testing::TestContext context;
  auto cases = GradientCases(context);
  for (const ListedOp& op : ListedOps()) {
    if (op.gradient != GradientKind::kDerivative) continue;
    ASSERT_EQ(cases.count(op.name), 1u) << "ops/op_list_test.cc: expected a gradient case for " << op.name;
    CheckGradients(context, op.name, cases[op.name]);
    cases.erase(op.name);
  }
  for (const auto& [name, unused] : cases) ADD_FAILURE() << "ops/op_list.inc: expected a line for " << name;
}

// All results and gradients of a case.
std::vector<std::vector<float>> Values(Context& context, const GradientCase& test) {
  const Tensor y = test.forward(context, test.inputs);
  const Tensor weights = FromHost(context, testing::RandomValues(y.size(), 5), y.shape());
  std::vector<std::vector<float>> values;
  for (const Tensor& tensor : testing::RunWithGradients(context, test.forward, test.inputs, weights)) {
    if (tensor.defined()) values.push_back(ToHost<float>(context, tensor));
  }
  return values;
}

TEST(OpList, TheDeviceGivesTheCpusValues) {
  testing::TestContext context;
  Context cpu;
  auto cases = GradientCases(context), cpu_cases = GradientCases(cpu);
  for (const ListedOp& op : ListedOps()) {
    if (op.gradient != GradientKind::kDerivative) continue;
    const auto values = Values(context, cases[op.name]), expected = Values(cpu, cpu_cases[op.name]);
    ASSERT_EQ(values.size(), expected.size()) << op.name;
    for (size_t k = 0; k < values.size(); ++k) {
      if (op.bits == Bits::kSame) {
        EXPECT_EQ(testing::BitsOf(values[k]), testing::BitsOf(expected[k])) << op.name << ", value " << k;
        continue;
      }
      // Sums of at most some dozen terms below 1, each value within half an epsilon a term of its magnitude.
      ASSERT_EQ(values[k].size(), expected[k].size()) << op.name;
      for (size_t i = 0; i < values[k].size(); ++i) {
        EXPECT_NEAR(values[k][i], expected[k][i], 64 * testing::kEpsilon) << op.name << ", value " << k << " at " << i;
      }
    }
  }
}

TEST(OpList, SecondStepAllocatesNothing) {
  testing::TestContext context;
  for (const auto& [name, test] : GradientCases(context)) {
    const Tensor weights = Clone(context, test.forward(context, test.inputs));
    const auto step = [&] { testing::RunWithGradients(context, test.forward, test.inputs, weights); };
    step();
    const int64_t before = context.pool()->statistics().system_allocations;
    step();
    EXPECT_EQ(context.pool()->statistics().system_allocations, before) << name;
  }
}

TEST(OpList, EveryHeaderDeclaresItsOp) {
  std::set<std::string> names;
  for (const ListedOp& op : ListedOps()) {
    EXPECT_TRUE(names.insert(op.name).second) << op.name << " is listed twice";
    EXPECT_TRUE(std::regex_search(ReadFile(op.header), std::regex("\\b" + op.name + "\\(Context& context")))
        << op.header << ": expected a declaration of " << op.name;
  }
}

// The op's own test has TEST(<name>, ...<about>...).
void ExpectOwnTest(const ListedOp& op, const std::string& about) {
  const std::string test = op.header.substr(0, op.header.size() - 2) + "_test.cc";
  EXPECT_TRUE(std::regex_search(ReadFile(test), std::regex("TEST\\(" + op.name + ", \\w*" + about)))
      << test << ": expected TEST(" << op.name << ", ..." << about << "...)";
}

TEST(OpList, EveryGradientByFormulaHasItsOwnTest) {
  for (const ListedOp& op : ListedOps()) {
    if (op.gradient == GradientKind::kOwnFormula) ExpectOwnTest(op, "Gradient");
  }
}

TEST(OpList, EveryClaimOfTheSameBitsHasATest) {
  for (const ListedOp& op : ListedOps()) {
    const bool has_case = op.bits == Bits::kSame && op.gradient == GradientKind::kDerivative;
    if (op.bits != Bits::kRounded && !has_case) ExpectOwnTest(op, "SameBits\\w*Device");
  }
}

}  // namespace
}  // namespace bitgate
