#include "ops/quant/fixed/fixed_quantize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "ops/op_testing.h"
#include "ops/quant/fixed/fixed_quantize_kernels.h"
#include "runtime/autograd/tape.h"
#include "runtime/base/cpu.h"
#include "runtime/base/error.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

std::vector<float> Normal(int64_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(size);
  for (float& value : values) value = normal(random);
  return values;
}

const FixedQuantizer kUnsigned4{false, 0.1f, 0, 15, 0, 1.5f, 1.5f};
const FixedQuantizer kSigned2{false, 0.5f, -1, 1, -0.75f, 0.75f, 0.75f};
// Straight through everywhere, though many values are clipped.
const FixedQuantizer kThrough{false, 0.1f, -7, 7, -1e30f, 1e30f, 0.7f};
const FixedQuantizer kClip{true, 0, 0, 0, -0.8f, 0.8f, 0.8f};

TEST(FixedQuantize, RoundsOnceHalfToEvenAndSaturates) {
  testing::TestContext context;
  const Tensor range = FromHost<float>(context, {1.0f}, {1});
  const FixedQuantizer unit{false, 1.0f, 0, 15, 0, 15, 1};
  const Tensor x = FromHost<float>(context, {-3, -0.2f, 0.5f, 1.5f, 2.5f, 14.6f, 99}, {7});
  EXPECT_EQ(ToHost<float>(context, FixedQuantize(context, x, range, {}, unit)),
            (std::vector<float>{0, 0, 0, 2, 2, 15, 15}));
}

TEST(FixedQuantize, ScaleFollowsTheRangeAndPrunedRowsAreZero) {
  testing::TestContext context;
  const Tensor x = FromHost<float>(context, {1, 2, 1, 2}, {2, 2});
  const Tensor keep = FromHost<float>(context, {0, 1}, {2});
  const FixedQuantizer unit{false, 1.0f, -7, 7, -7.5f, 7.5f, 7.5f};
  const Tensor y = FixedQuantize(context, x, FromHost<float>(context, {15.0f}, {1}), keep, unit);
  EXPECT_EQ(ToHost<float>(context, y), (std::vector<float>{0, 0, 0, 2}));
}

TEST(FixedQuantize, GradientsFollowTheStraightThroughDefinition) {
  testing::TestContext context;
  for (const FixedQuantizer& q : {kUnsigned4, kSigned2, kThrough, kClip}) {
    for (float ratio : {1.0f, 1.25f}) {
      const int64_t rows = 3, elements = 700;
      const auto values = Normal(rows * elements, 1), upstream = Normal(rows * elements, 2);
      const std::vector<float> keeps = {1, 0, 1};
      Tensor x = FromHost(context, values, {rows, elements});
      Tensor range = FromHost<float>(context, {q.range * ratio}, {1});
      Tape tape;
      tape.Watch(x), tape.Watch(range);
      Tensor loss = FromHost<float>(context, {0}, {1});
      {
        Recording recording(context, tape);
        const Tensor y = FixedQuantize(context, x, range, FromHost(context, keeps, {rows}), q);
        const Tensor g = FromHost(context, upstream, x.shape());
        RecordOp(context, {&y}, loss, [g](Context&, const Tensor&, GradientSink& sink) { sink.Set(0, g); });
      }
      tape.Backward(context, loss);
      const auto grad_x = ToHost<float>(context, tape.Gradient(x));
      double grad_range = 0, magnitude = 0;
      const float scale = q.scale * ratio, low = q.low * ratio, high = q.high * ratio;
      for (size_t i = 0; i < values.size(); ++i) {
        const float g = upstream[i] * keeps[i / elements], v = values[i];
        const bool inside = v > low && v < high;
        ASSERT_EQ(grad_x[i], inside ? g : 0.0f);
        if (q.clip_only) {
          grad_range += inside ? 0 : g * (v <= low ? q.low : q.high) / q.range;
        } else {
          const double code = std::fmin(std::fmax(std::rint(v / scale), q.qmin), q.qmax);
          const bool clipped = !inside || std::rint(v / scale) != code;
          grad_range += g * (clipped ? code : code - double(v) / scale) * q.scale / q.range;
        }
        magnitude += std::fabs(g);
      }
      // Terms below 16 in size, each off by a few eps; float lanes of 44 terms.
      EXPECT_NEAR(ToHost<float>(context, tape.Gradient(range))[0], grad_range, 16 * 7 * 6e-8 * magnitude);
    }
  }
}

TEST(FixedQuantize, InstructionSetsAreBitEqual) {
  const struct {
    Isa isa;
    decltype(&cpu::scalar::FixedQuantizeForward) forward;
    decltype(&cpu::scalar::FixedQuantizeBackward) backward;
  } kinds[] = {{Isa::kScalar, &cpu::scalar::FixedQuantizeForward, &cpu::scalar::FixedQuantizeBackward},
               {Isa::kAvx2, &cpu::avx2::FixedQuantizeForward, &cpu::avx2::FixedQuantizeBackward},
               {Isa::kAvx512, &cpu::avx512::FixedQuantizeForward, &cpu::avx512::FixedQuantizeBackward}};
  Context context;
  int compared = 0;
  for (const FixedQuantizer& q : {kUnsigned4, kSigned2, kThrough, kClip}) {
    for (int64_t size : {1, 15, 16, 17, 9001}) {
      const Tensor x = FromHost(context, Normal(size, 5), {size}), g = FromHost(context, Normal(size, 6), {size});
      const Tensor range = FromHost<float>(context, {q.range * 1.1f}, {1});
      std::vector<float> expected;
      for (const auto& kind : kinds) {
        if (!IsaSupported(kind.isa)) continue;
        const Tensor y = Empty(context, {size}), gx = Empty(context, {size}), gr = Empty(context, {1});
        const FixedInputs in{x.view(), range.view(), {}, 1, size};
        kind.forward(context.kernel(), y.view(), in, q);
        kind.backward(context.kernel(), gx.view(), gr.view(), g.view(), in, q);
        std::vector<float> all;
        for (const Tensor& t : {y, gx, gr}) {
          for (float value : ToHost<float>(context, t)) all.push_back(value);
        }
        if (kind.isa == Isa::kScalar)
          expected = all;
        else
          ++compared;
        ASSERT_EQ(std::memcmp(all.data(), expected.data(), all.size() * sizeof(float)), 0) << IsaName(kind.isa);
      }
    }
  }
  if (compared == 0) GTEST_SKIP() << "this processor has neither AVX2 nor AVX-512";
}

std::vector<std::vector<float>> ResultsOn(Context& context, const std::vector<float>& x, const std::vector<float>& grad,
                                          int64_t rows, bool has_keep, float range, const FixedQuantizer& quantizer,
                                          int64_t offset) {
  const int64_t size = static_cast<int64_t>(x.size());
  const auto shifted = [&](const std::vector<float>& values) {
    std::vector<float> moved(values.size() + offset);
    std::copy(values.begin(), values.end(), moved.begin() + offset);
    const Tensor whole = FromHost(context, moved, {size + offset});
    return ReshapeView(SliceView(whole, 0, offset, offset + size), {rows, size / rows});
  };
  std::vector<float> keeps(rows);
  for (int64_t row = 0; row < rows; ++row) keeps[row] = row % 3 == 1 ? 0.0f : 1.0f;
  const Tensor keep = has_keep ? FromHost(context, keeps, {rows}) : Tensor();
  const auto results = testing::RunWithGradients(
      context,
      [=](Context& c, const std::vector<Tensor>& in) { return FixedQuantize(c, in[0], in[1], keep, quantizer); },
      {shifted(x), FromHost<float>(context, {range}, {1})}, shifted(grad));
  std::vector<std::vector<float>> values;
  for (const Tensor& result : results) values.push_back(ToHost<float>(context, result));
  return values;
}

TEST(FixedQuantize, SameBitsOnEveryDevice) {
  testing::TestContext context;
  Context cpu;
  const struct {
    int64_t rows, elements;
    bool has_keep;
  } matrices[] = {{1, 1, false},  {1, 1025, false}, {1, 40001, false}, {1, 5000, true}, {32, 25, true},
                  {517, 9, true}, {67, 33, true},   {3, 4097, true},   {2, 70001, true}};
  for (const auto& [rows, elements, has_keep] : matrices) {
    auto x = Normal(rows * elements, 8), grad = Normal(rows * elements, 9);
    const float specials[] = {0.0f, -0.0f, INFINITY, -INFINITY, 3e38f, -3e38f, 0x1p-149f, 0.05f, -0.05f};
    for (size_t i = 0; i < std::size(specials) && 3 * i < x.size(); ++i) x[3 * i] = specials[i];
    double magnitude = 0;
    for (const float g : grad) magnitude += std::fabs(g);
    for (const FixedQuantizer& q : {kUnsigned4, kSigned2, kThrough, kClip}) {
      const auto expected = ResultsOn(cpu, x, grad, rows, has_keep, q.range * 1.1f, q, 0);
      const auto actual = ResultsOn(context, x, grad, rows, has_keep, q.range * 1.1f, q, 0);
      for (int k = 0; k < 2; ++k) {
        ASSERT_EQ(testing::BitsOf(actual[k]), testing::BitsOf(expected[k])) << rows << " x " << elements << ", " << k;
      }
      // Terms below 2 in size, each off by a few eps; float lanes of at most 512 terms.
      EXPECT_NEAR(actual[2][0], expected[2][0], 2 * 23 * 6e-8 * magnitude + 1e-7) << rows << " x " << elements;
      EXPECT_EQ(ResultsOn(context, x, grad, rows, has_keep, q.range * 1.1f, q, 1), actual);
    }
  }
}

TEST(FixedQuantize, RejectsWhatDoesNotFit) {
  testing::TestContext context;
  const Tensor x = Zeros(context, {2, 3}), one = Zeros(context, {1});
  EXPECT_THROW(FixedQuantize(context, {}, one, {}, kClip), Error);
  EXPECT_THROW(FixedQuantize(context, x, x, {}, kClip), Error);
  EXPECT_THROW(FixedQuantize(context, x, one, Zeros(context, {3}), kClip), Error);
  FixedQuantizer bad = kUnsigned4;
  bad.scale = 0;
  EXPECT_THROW(FixedQuantize(context, x, one, {}, bad), Error);
}

}  // namespace
}  // namespace bitgate
