#include "ops/quant/bayesian_bits/bayesian_bits.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "ops/op_testing.h"
#include "ops/quant/bayesian_bits/bayesian_bits_kernels.h"
#include "ops/quant/bayesian_bits/bayesian_bits_math.h"
#include "runtime/autograd/tape.h"
#include "runtime/base/cpu.h"
#include "runtime/base/error.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

std::vector<float> Normal(int64_t size, unsigned seed, float spread = 1.0f) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, spread);
  std::vector<float> values(size);
  for (float& value : values) value = normal(random);
  return values;
}

const std::vector<std::vector<float>> kGateCases = {
    {0, 0, 0, 0}, {1, 0, 0, 0}, {1, 1, 0, 0}, {1, 1, 1, 0}, {1, 1, 1, 1}, {0.3f, 0.9f, 0.2f, 0.5f}, {0.7f, 0, 1, 1}};

TEST(BayesianBits, LiesOnTheGridOfItsOpenGates) {
  testing::TestContext context;
  const int bits[] = {2, 4, 8};
  for (bool is_signed : {true, false}) {
    for (int level = 0; level < 3; ++level) {
      const float beta = 1.37f;
      const Tensor x = FromHost(context, Normal(1000, 7), {1000});
      const Tensor range = FromHost<float>(context, {beta}, {1});
      const Tensor y = BayesianBits(context, x, range, FromHost(context, kGateCases[level], {4}), {}, is_signed);
      const double step = (is_signed ? 2.0 : 1.0) * beta / ((1 << bits[level]) - 1);
      const double last = is_signed ? (1 << (bits[level] - 1)) - 1 : (1 << bits[level]) - 1;
      for (float value : ToHost<float>(context, y)) {
        const double code = value / step;
        EXPECT_NEAR(code, std::round(code), 1e-4);
        EXPECT_LE(std::round(code), last);
        EXPECT_GE(std::round(code), is_signed ? -last : 0);
      }
    }
  }
}

// The composed twin in double, term by term as published, with the straight-through rule for every rounding.
struct Reference {
  std::vector<double> grad_x, grad_channels;
  double grad_range = 0, grad_gates[4] = {};
};

Reference ReferenceBackward(const std::vector<float>& x, const std::vector<float>& grad, float beta,
                            const std::vector<float>& gates, const std::vector<float>& channel_gates, bool is_signed) {
  const auto scales = MakeBayesianBitsScales(beta, is_signed);
  const auto p0 = MakeBayesianBitsElement<float>(scales, gates.data(), 1.0f, [](float value) { return value; });
  Reference result;
  const size_t rows = channel_gates.empty() ? 1 : channel_gates.size(), elements = x.size() / rows;
  result.grad_channels.resize(rows);
  for (size_t i = 0; i < x.size(); ++i) {
    const double z2 = channel_gates.empty() ? 1 : channel_gates[i / elements];
    const double g = grad[i] * z2;
    // Values by the float formula, so that both round alike; derivatives in double.
    const float v = BayesianBitsClip(x[i], p0);
    double e[5], residual_free = v;
    float residual = v;
    for (int k = 0; k < 5; ++k) {
      const float term = scales.scale[k] * std::rint(residual / scales.scale[k]);
      e[k] = term;
      residual -= term;
    }
    double product = 1, h = e[0];
    for (int k = 0; k < 4; ++k) h += (product *= gates[k]) * e[k + 1];
    const bool above = x[i] >= scales.high, below = x[i] <= scales.low;
    result.grad_x.push_back(above || below ? 0 : g);
    result.grad_channels[i / elements] += grad[i] * h;
    result.grad_range += g * ((h - residual_free) / beta + kRangeShrink * (above - (is_signed && below ? 1 : 0)));
    for (int k = 0; k < 4; ++k) {
      if (gates[k] == 0) break;
      double inner = 1, derivative = 0;
      for (int j = k; j < 4; ++j) derivative += (inner *= j == k ? 1 : gates[j]) * e[j + 1];
      double before = 1;
      for (int j = 0; j < k; ++j) before *= gates[j];
      result.grad_gates[k] += g * before * derivative;
    }
  }
  return result;
}

TEST(BayesianBits, GradientsMatchTheDefinitionInDouble) {
  testing::TestContext context;
  for (const auto& gates : kGateCases) {
    for (bool is_signed : {true, false}) {
      for (int64_t elements : {1, 17, 1000, 9000}) {
        const int64_t rows = is_signed ? 3 : 1;
        const auto values = Normal(rows * elements, 11), upstream = Normal(rows * elements, 12);
        const std::vector<float> channel_gates =
            is_signed ? std::vector<float>{1.0f, 0.0f, 0.4f} : std::vector<float>();
        Tape tape;
        Tensor x = FromHost(context, values, {rows, elements});
        Tensor range = FromHost<float>(context, {1.1f}, {1});
        Tensor gate = FromHost(context, gates, {4});
        Tensor channels = is_signed ? FromHost(context, channel_gates, {rows}) : Tensor();
        tape.Watch(x), tape.Watch(range), tape.Watch(gate);
        if (is_signed) tape.Watch(channels);
        Tensor loss = FromHost<float>(context, {0}, {1});
        {
          Recording recording(context, tape);
          const Tensor y = BayesianBits(context, x, range, gate, channels, is_signed);
          const Tensor g = FromHost(context, upstream, x.shape());
          RecordOp(context, {&y}, loss, [g](Context&, const Tensor&, GradientSink& sink) { sink.Set(0, g); });
        }
        tape.Backward(context, loss);
        const Reference expected = ReferenceBackward(values, upstream, 1.1f, gates, channel_gates, is_signed);
        const auto grad_x = ToHost<float>(context, tape.Gradient(x));
        double magnitude = 0;
        for (float g : upstream) magnitude += std::fabs(g);
        // 16 float lanes of at most 512 terms each, then double: well within 4 sqrt(512) eps of the sum of magnitudes.
        const double tolerance = 4 * 23 * 6e-8 * magnitude + 1e-7;
        for (size_t i = 0; i < values.size(); ++i) ASSERT_EQ(grad_x[i], static_cast<float>(expected.grad_x[i])) << i;
        EXPECT_NEAR(ToHost<float>(context, tape.Gradient(range))[0], expected.grad_range, tolerance);
        for (int k = 0; k < 4; ++k) {
          EXPECT_NEAR(ToHost<float>(context, tape.Gradient(gate))[k], expected.grad_gates[k], tolerance) << k;
        }
        for (int64_t row = 0; is_signed && row < rows; ++row) {
          EXPECT_NEAR(ToHost<float>(context, tape.Gradient(channels))[row], expected.grad_channels[row], tolerance);
        }
      }
    }
  }
}

struct IsaKernels {
  decltype(&cpu::scalar::BayesianBitsForward) forward;
  decltype(&cpu::scalar::BayesianBitsBackward) backward;
};

std::vector<float> RunKernels(const IsaKernels& kernels, int64_t rows, int64_t elements, bool is_signed,
                              const std::vector<float>& gates) {
  Context context;
  const Tensor x = FromHost(context, Normal(rows * elements, 3), {rows, elements});
  const Tensor g = FromHost(context, Normal(rows * elements, 4), {rows, elements});
  const Tensor range = FromHost<float>(context, {0.9f}, {1}), gate = FromHost(context, gates, {4});
  const Tensor channels = FromHost(context, std::vector<float>(rows, 0.6f), {rows});
  const Tensor y = Empty(context, x.shape()), grad_x = Empty(context, x.shape());
  const Tensor grad_range = Empty(context, {1}), grad_gates = Empty(context, {4}), grad_c = Empty(context, {rows});
  const BayesianBitsInputs in{x.view(), range.view(), gate.view(), channels.view()};
  const BayesianBitsLayout layout{rows, elements, is_signed};
  kernels.forward(context.kernel(), y.view(), in, layout);
  kernels.backward(context.kernel(), {grad_x.view(), grad_range.view(), grad_gates.view(), grad_c.view()}, g.view(), in,
                   layout);
  std::vector<float> all;
  for (const Tensor& t : {y, grad_x, grad_range, grad_gates, grad_c}) {
    for (float value : ToHost<float>(context, t)) all.push_back(value);
  }
  return all;
}

void ExpectBitEqualToScalar(const IsaKernels& kernels) {
  const IsaKernels scalar{&cpu::scalar::BayesianBitsForward, &cpu::scalar::BayesianBitsBackward};
  for (const auto& gates : kGateCases) {
    for (bool is_signed : {true, false}) {
      for (int64_t elements : {1, 15, 16, 17, 25, 8191, 20000}) {
        const auto expected = RunKernels(scalar, 3, elements, is_signed, gates);
        const auto actual = RunKernels(kernels, 3, elements, is_signed, gates);
        ASSERT_EQ(std::memcmp(expected.data(), actual.data(), expected.size() * sizeof(float)), 0) << elements;
      }
    }
  }
}

TEST(BayesianBits, Avx2IsBitEqualToScalar) {
  if (!IsaSupported(Isa::kAvx2)) GTEST_SKIP() << "this processor has no AVX2";
  ExpectBitEqualToScalar({&cpu::avx2::BayesianBitsForward, &cpu::avx2::BayesianBitsBackward});
}
TEST(BayesianBits, Avx512IsBitEqualToScalar) {
  if (!IsaSupported(Isa::kAvx512)) GTEST_SKIP() << "this processor has no AVX-512";
  ExpectBitEqualToScalar({&cpu::avx512::BayesianBitsForward, &cpu::avx512::BayesianBitsBackward});
}

// Result and gradients on a device, from operands that begin `offset` elements off alignment.
std::vector<std::vector<float>> ResultsOn(Context& context, const std::vector<float>& x, const std::vector<float>& grad,
                                          int64_t rows, bool has_channels, float beta, const std::vector<float>& gates,
                                          bool is_signed, int64_t offset) {
  const int64_t size = static_cast<int64_t>(x.size());
  const auto shifted = [&](const std::vector<float>& values) {
    std::vector<float> moved(values.size() + offset);
    std::copy(values.begin(), values.end(), moved.begin() + offset);
    const Tensor whole = FromHost(context, moved, {size + offset});
    return ReshapeView(SliceView(whole, 0, offset, offset + size), {rows, size / rows});
  };
  std::vector<float> channel_gates(rows);
  for (int64_t row = 0; row < rows; ++row) channel_gates[row] = row % 3 == 1 ? 0.0f : 1.0f / (1 + row % 5);
  const Tensor channels = has_channels ? FromHost(context, channel_gates, {rows}) : Tensor();
  const auto results = testing::RunWithGradients(
      context,
      [=](Context& c, const std::vector<Tensor>& in) { return BayesianBits(c, in[0], in[1], in[2], in[3], is_signed); },
      {shifted(x), FromHost<float>(context, {beta}, {1}), FromHost(context, gates, {4}), channels}, shifted(grad));
  std::vector<std::vector<float>> values;
  for (const Tensor& result : results) {
    values.push_back(result.defined() ? ToHost<float>(context, result) : std::vector<float>());
  }
  return values;
}

// Elements to the last bit, except that a NaN may be another; sums within `tolerance`.
void ExpectSameResults(const std::vector<std::vector<float>>& actual, const std::vector<std::vector<float>>& expected,
                       double tolerance, const std::string& what) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t k = 0; k < actual.size(); ++k) {
    ASSERT_EQ(actual[k].size(), expected[k].size());
    const auto actual_bits = testing::BitsOf(actual[k]), expected_bits = testing::BitsOf(expected[k]);
    for (size_t i = 0; i < actual[k].size(); ++i) {
      if (std::isnan(expected[k][i])) {
        ASSERT_TRUE(std::isnan(actual[k][i])) << what << ", result " << k << " at " << i;
      } else if (k < 2) {
        ASSERT_EQ(actual_bits[i], expected_bits[i]) << what << ", result " << k << " at " << i;
      } else {
        ASSERT_NEAR(actual[k][i], expected[k][i], tolerance) << what << ", result " << k << " at " << i;
      }
    }
  }
}

double SumOfMagnitudes(const std::vector<float>& values) {
  double sum = 0;
  for (const float value : values) sum += std::fabs(value);
  return sum;
}

struct Matrix {
  int64_t rows, elements;
  bool has_channels;
};

// Short rows that share a warp, rows of a warp, rows of one and of several thread blocks; no multiples of a vector.
const Matrix kMatrices[] = {{1, 1, false},   {1, 1023, false}, {1, 4097, false}, {1, 70001, false},
                            {1, 5000, true}, {32, 25, true},   {1025, 9, true},  {67, 33, true},
                            {5, 4096, true}, {3, 4097, true},  {2, 70001, true}, {70000, 1, true}};

TEST(BayesianBits, SameBitsOnEveryDevice) {
  testing::TestContext context;
  Context cpu;
  for (const auto& [rows, elements, has_channels] : kMatrices) {
    const auto x = Normal(rows * elements, 31), grad = Normal(rows * elements, 32);
    // Both are off by at most sqrt(512) half epsilons of the sum of magnitudes; beta 1.1, all factors below 3.
    const double tolerance = 3 * 23 * 6e-8 * SumOfMagnitudes(grad) + 1e-7;
    for (size_t i = 0; i < std::size(kGateCases); ++i) {
      if (rows * elements > 10000 && i % 3 != 2) continue;
      const bool is_signed = i % 2 == 0;
      const auto expected = ResultsOn(cpu, x, grad, rows, has_channels, 1.1f, kGateCases[i], is_signed, 0);
      const auto aligned = ResultsOn(context, x, grad, rows, has_channels, 1.1f, kGateCases[i], is_signed, 0);
      const auto shifted = ResultsOn(context, x, grad, rows, has_channels, 1.1f, kGateCases[i], is_signed, 1);
      const std::string what = std::to_string(rows) + " x " + std::to_string(elements);
      ExpectSameResults(aligned, expected, tolerance, what);
      EXPECT_EQ(aligned, shifted) << what << ": sums depend on the sizes alone";
    }
  }
}

// Ranges for which scales are and are not divided by as runtime/kernel/divisor.h does; ties, zeros, what is no number.
TEST(BayesianBits, SameBitsOnEveryDeviceInAnyRange) {
  testing::TestContext context;
  Context cpu;
  for (const float beta : {0x1p-120f, 0x1p-65f, 0x1p-61f, 1e-12f, 1.0f, 1.5f, 3e20f, 0x1p95f, 0x1p100f}) {
    auto x = Normal(3000, 33, beta);
    for (int i = 0; i < 1000; ++i) x[i] = beta * static_cast<float>(i - 500) / 255.0f * (i % 2 == 0 ? 1.0f : 1.5f);
    for (const float special : {0.0f, -0.0f, INFINITY, -INFINITY, beta, -beta, 0x1p-149f, -0x1p-149f, NAN}) {
      x.push_back(special);
    }
    const std::vector<float> grad(x.size(), 0.0f);
    for (const bool is_signed : {true, false}) {
      for (const auto& gates : kGateCases) {
        auto expected = ResultsOn(cpu, x, grad, 1, false, beta, gates, is_signed, 0);
        auto actual = ResultsOn(context, x, grad, 1, false, beta, gates, is_signed, 0);
        expected.resize(2), actual.resize(2);  // a NaN makes the sums one
        ExpectSameResults(actual, expected, 0, "range " + std::to_string(std::ilogb(beta)));
      }
    }
  }
}

TEST(BayesianBits, NoElementsHaveZeroGradients) {
  testing::TestContext context;
  for (const int64_t rows : {1, 3}) {
    const auto results = ResultsOn(context, {}, {}, rows, true, 1.1f, {1, 1, 1, 1}, true, 0);
    EXPECT_EQ(results[2], std::vector<float>{0});
    EXPECT_EQ(results[3], std::vector<float>(4, 0.0f));
    EXPECT_EQ(results[4], std::vector<float>(rows, 0.0f));
  }
}

TEST(BayesianBits, UnsignedIsItsOwnRelu) {
  testing::TestContext context;
  const auto values = Normal(500, 21);
  std::vector<float> rectified = values;
  for (float& value : rectified) value = std::max(value, 0.0f);
  const Tensor range = FromHost<float>(context, {2.0f}, {1}), gates = FromHost(context, kGateCases[2], {4});
  const auto direct = BayesianBits(context, FromHost(context, values, {500}), range, gates, {}, false);
  const auto after_relu = BayesianBits(context, FromHost(context, rectified, {500}), range, gates, {}, false);
  EXPECT_EQ(ToHost<float>(context, direct), ToHost<float>(context, after_relu));
}

TEST(BayesianBits, NoClippedWeightRoundsToTwoAtTwoBits) {
  testing::TestContext context;
  std::mt19937 random(5);
  std::uniform_real_distribution<float> uniform(1e-4f, 10.0f);
  for (int i = 0; i < 2000; ++i) {
    const float beta = uniform(random);
    const Tensor y =
        BayesianBits(context, FromHost<float>(context, {3 * beta, -3 * beta}, {2}),
                     FromHost<float>(context, {beta}, {1}), FromHost(context, kGateCases[0], {4}), {}, true);
    const float step = 2 * beta / 3;
    EXPECT_EQ(ToHost<float>(context, y)[0], step) << beta;
    EXPECT_EQ(ToHost<float>(context, y)[1], -step) << beta;
  }
}

TEST(BayesianBits, RejectsWhatDoesNotFit) {
  testing::TestContext context;
  const Tensor x = Zeros(context, {2, 3}), one = Zeros(context, {1}), four = Zeros(context, {4});
  EXPECT_THROW(BayesianBits(context, x, four, four, {}, true), Error);
  EXPECT_THROW(BayesianBits(context, x, one, one, {}, true), Error);
  EXPECT_THROW(BayesianBits(context, x, one, four, Zeros(context, {3}), true), Error);
  EXPECT_THROW(BayesianBits(context, Zeros(context, {2}, DType::kInt32), one, four, {}, true), Error);
  EXPECT_THROW(BayesianBits(context, {}, one, four, {}, true), Error);
  EXPECT_EQ(BayesianBits(context, Zeros(context, {0, 3}), one, four, {}, false).size(), 0);
}

}  // namespace
}  // namespace bitgate
