#include "ops/optim/optim.h"

#include <algorithm>
#include <functional>

#include "ops/op_testing.h"
#include "ops/optim/optim_kernels.h"
#include "runtime/base/thread_pool.h"

namespace bitgate {
namespace {

using testing::BitsOf;
using testing::ExpectInvalid;
using testing::kEpsilon;
using testing::RandomTensor;

// One update with its values before the step, all in rows.
struct Problem {
  ParameterUpdate update;
  int64_t rows, elements, all_rows;
  std::vector<float> p, g, m, v, gain, decay;
};

Problem MakeProblem(Context& context, int64_t all_rows, int64_t rows, int64_t elements, bool with_rows,
                    bool with_gradient) {
  Problem x;
  x.rows = rows, x.elements = elements, x.all_rows = all_rows;
  ParameterUpdate& u = x.update;
  const uint32_t seed = static_cast<uint32_t>(100 * elements + rows);
  u.parameter = RandomTensor(context, {all_rows, elements}, seed + 1);
  if (with_gradient) u.gradient = RandomTensor(context, {elements}, seed + 2);
  u.first_moment = RandomTensor(context, {all_rows, elements}, seed + 3, -0.1f, 0.1f);
  u.second_moment = RandomTensor(context, {all_rows, elements}, seed + 4, 0, 0.1f);
  if (with_rows) {
    u.gain = RandomTensor(context, {rows}, seed + 5);
    u.decay = RandomTensor(context, {rows}, seed + 6, 0, 0.1f);
  }
  x.p = ToHost<float>(context, u.parameter);
  x.g = with_gradient ? ToHost<float>(context, u.gradient) : std::vector<float>(elements);
  x.m = ToHost<float>(context, u.first_moment);
  x.v = ToHost<float>(context, u.second_moment);
  x.gain = with_rows ? ToHost<float>(context, u.gain) : std::vector<float>(rows, 1.0f);
  x.decay = with_rows ? ToHost<float>(context, u.decay) : std::vector<float>(rows, 0.0f);
  return x;
}

std::vector<Problem> MakeProblems(Context& context) {
  std::vector<Problem> problems;
  for (const int64_t elements : testing::InterestingSizes()) {
    problems.push_back(MakeProblem(context, 1, 1, elements, false, true));
  }
  problems.push_back(MakeProblem(context, 1, 1, 37, false, false));
  problems.push_back(MakeProblem(context, 6, 4, 17, true, true));
  problems.push_back(MakeProblem(context, 3, 3, 9000, true, true));
  problems.push_back(MakeProblem(context, 2, 0, 5, true, true));
  problems.push_back(MakeProblem(context, 2, 2, 5, true, false));
  for (int i = 0; i < 50; ++i) problems.push_back(MakeProblem(context, 1, 1, 1, false, true));
  return problems;
}

std::vector<ParameterUpdate> Updates(const std::vector<Problem>& problems) {
  std::vector<ParameterUpdate> updates;
  for (const Problem& problem : problems) updates.push_back(problem.update);
  return updates;
}

void ExpectWithin(double actual, double expected, double tolerance, const char* what, const Problem& x, int64_t i) {
  ASSERT_LE(std::abs(actual - expected), tolerance) << what << " at " << i << " of " << x.rows << " x " << x.elements
                                                    << ": expected " << expected << ", got " << actual;
}

// The gradient of element i in double, and the sum of its terms' magnitudes.
struct Gradient {
  double value, magnitude;
  Gradient(const Problem& x, int64_t i, double weight_decay) {
    const int64_t row = i / x.elements;
    const double a = double{x.gain[row]} * x.g[i % x.elements], b = (x.decay[row] + weight_decay) * x.p[i];
    value = a + b;
    magnitude = std::abs(a) + std::abs(b);
  }
};

// Two epsilons of the larger of what is subtracted from what: constants and products are rounded once each. The step
// itself has a division, a root and the moments' errors behind it (six half epsilons and theirs), but is usually small.
void CheckAdam(Context& context, const Problem& x, const AdamOptions& o, int64_t step) {
  const auto p = ToHost<float>(context, x.update.parameter), m = ToHost<float>(context, x.update.first_moment);
  const auto v = ToHost<float>(context, x.update.second_moment);
  const double c1 = 1 - std::pow(o.beta1, step), c2 = 1 - std::pow(o.beta2, step);
  for (int64_t i = 0; i < x.rows * x.elements; ++i) {
    const Gradient g(x, i, o.weight_decay);
    const double em = o.beta1 * x.m[i] + (1 - o.beta1) * g.value;
    const double ev = o.beta2 * x.v[i] + (1 - o.beta2) * g.value * g.value;
    const double m_size = std::abs(o.beta1 * x.m[i]) + (1 - o.beta1) * g.magnitude;
    const double v_size = o.beta2 * x.v[i] + (1 - o.beta2) * g.magnitude * g.magnitude;
    const double denominator = std::sqrt(ev) / std::sqrt(c2) + o.epsilon;
    const double delta = o.learning_rate / c1 * em / denominator;
    const double delta_size = o.learning_rate / c1 * m_size / denominator * (v_size / ev);
    const double ep = std::clamp<double>(x.p[i] - delta, x.update.low, x.update.high);
    ExpectWithin(m[i], em, 2 * kEpsilon * m_size, "m", x, i);
    ExpectWithin(v[i], ev, 2.5 * kEpsilon * v_size, "v", x, i);
    ExpectWithin(p[i], ep, 2 * kEpsilon * std::abs(x.p[i]) + 6 * kEpsilon * delta_size, "p", x, i);
  }
  for (int64_t i = x.rows * x.elements; i < x.all_rows * x.elements; ++i) EXPECT_EQ(p[i], x.p[i]) << "idle row";
}

TEST(AdamStep, MatchesDouble) {
  testing::TestContext context;
  for (const int64_t step : {1, 2, 1000}) {
    for (const double weight_decay : {0.0, 0.01}) {
      AdamOptions options;
      options.weight_decay = weight_decay;
      const std::vector<Problem> problems = MakeProblems(context);
      AdamStep(context, Updates(problems), options, step);
      for (const Problem& problem : problems) CheckAdam(context, problem, options, step);
    }
  }
}

TEST(AdamStep, FirstStepIsTheLearningRate) {
  testing::TestContext context;
  ParameterUpdate u;
  u.parameter = FromHost<float>(context, {1, 1}, {2});
  u.gradient = FromHost<float>(context, {0.5f, -20}, {2});
  u.first_moment = Zeros(context, {2}), u.second_moment = Zeros(context, {2});
  AdamStep(context, {u}, {}, 1);
  EXPECT_THAT(ToHost<float>(context, u.parameter), ::testing::Pointwise(::testing::FloatNear(1e-7f), {0.999f, 1.001f}));
}

TEST(AdamStep, Clamps) {
  testing::TestContext context;
  ParameterUpdate u;
  u.parameter = FromHost<float>(context, {-3, 0.5f, 3, NAN}, {4});
  u.first_moment = Zeros(context, {4}), u.second_moment = Zeros(context, {4});
  u.low = 0, u.high = 2;
  AdamStep(context, {u}, {}, 1);
  const auto p = ToHost<float>(context, u.parameter);
  EXPECT_EQ((std::vector<float>{p[0], p[1], p[2]}), (std::vector<float>{0, 0.5f, 2}));
  EXPECT_TRUE(std::isnan(p[3]));
}

TEST(SgdStep, MatchesDouble) {
  testing::TestContext context;
  for (const SgdOptions& o : {SgdOptions{0.1, 0, false, 0}, SgdOptions{0.1, 0, false, 0.01},
                              SgdOptions{0.1, 0.9, false, 0.01}, SgdOptions{0.1, 0.9, true, 0}}) {
    const std::vector<Problem> problems = MakeProblems(context);
    SgdStep(context, Updates(problems), o);
    for (const Problem& x : problems) {
      const auto p = ToHost<float>(context, x.update.parameter), m = ToHost<float>(context, x.update.first_moment);
      for (int64_t i = 0; i < x.rows * x.elements; ++i) {
        const Gradient g(x, i, o.weight_decay);
        const double em = o.momentum == 0 ? x.m[i] : o.momentum * x.m[i] + g.value;
        const double m_size = std::abs(o.momentum * x.m[i]) + g.magnitude;
        const double direction = o.momentum == 0 ? g.value : o.nesterov ? g.value + o.momentum * em : em;
        const double size = g.magnitude + m_size;
        ExpectWithin(m[i], em, 2 * kEpsilon * m_size, "m", x, i);
        ExpectWithin(p[i], x.p[i] - o.learning_rate * direction,
                     kEpsilon * (std::abs(x.p[i]) + 3 * o.learning_rate * size), "p", x, i);
      }
    }
  }
}

constexpr UpdateKind kAllKinds[] = {UpdateKind::kAdam, UpdateKind::kSgd, UpdateKind::kMomentum, UpdateKind::kNesterov};

StepScalars ScalarsOf(UpdateKind kind) {
  if (kind == UpdateKind::kAdam) return AdamScalars({0.01, 0.9, 0.999, 1e-8, 0.01}, 3);
  return SgdScalars({0.1, kind == UpdateKind::kSgd ? 0 : 0.9, kind == UpdateKind::kNesterov, 0.01});
}

std::vector<uint32_t> AllBits(Context& context, const std::vector<Problem>& problems) {
  std::vector<uint32_t> bits;
  for (const Problem& x : problems) {
    for (const Tensor& t : {x.update.parameter, x.update.first_moment, x.update.second_moment}) {
      const auto more = BitsOf(ToHost<float>(context, t));
      bits.insert(bits.end(), more.begin(), more.end());
    }
  }
  return bits;
}

void ExpectSameBits(const std::function<void(Context&, const std::vector<ParameterUpdate>&)>& step) {
  testing::TestContext context;
  Context cpu;
  const std::vector<Problem> problems = MakeProblems(context), same = MakeProblems(cpu);
  step(context, Updates(problems));
  step(cpu, Updates(same));
  EXPECT_EQ(AllBits(context, problems), AllBits(cpu, same));
}

TEST(AdamStep, SameBitsOnEveryDevice) {
  for (const int64_t step : {1, 3}) {
    ExpectSameBits([&](Context& context, const std::vector<ParameterUpdate>& updates) {
      AdamStep(context, updates, {0.01, 0.9, 0.999, 1e-8, 0.01}, step);
    });
  }
}

TEST(SgdStep, SameBitsOnEveryDevice) {
  for (const SgdOptions& options :
       {SgdOptions{0.1, 0, false, 0.01}, SgdOptions{0.1, 0.9, false, 0}, SgdOptions{0.1, 0.9, true, 0.01}}) {
    ExpectSameBits(
        [&](Context& context, const std::vector<ParameterUpdate>& updates) { SgdStep(context, updates, options); });
  }
}

// Four groups, one of each kind, over all problems in turn.
std::vector<UpdateGroup> Groups(Context& context, const std::vector<Problem>& problems) {
  std::vector<UpdateGroup> groups;
  for (const UpdateKind kind : kAllKinds) {
    const StepScalars scalars = ScalarsOf(kind);
    groups.push_back({{}, kind, FromHostBytes(context, scalars.data(), {kStepScalars}, DType::kFloat32)});
  }
  for (size_t i = 0; i < problems.size(); ++i) groups[i % 4].updates.push_back(problems[i].update);
  return groups;
}

TEST(OptimizerStep, GroupsOfAllKindsGiveTheCpusBits) {
  testing::TestContext context;
  Context cpu;
  const std::vector<Problem> problems = MakeProblems(context), same = MakeProblems(cpu);
  const std::vector<uint32_t> before = AllBits(context, problems);
  OptimizerStep(context, Groups(context, problems));
  OptimizerStep(cpu, Groups(cpu, same));
  EXPECT_EQ(AllBits(context, problems), AllBits(cpu, same));
  EXPECT_NE(AllBits(context, problems), before);
}

TEST(OptimizerStep, ChangesNothingUnlessItMayProceed) {
  testing::TestContext context;
  const std::vector<Problem> problems = MakeProblems(context);
  const std::vector<uint32_t> before = AllBits(context, problems);
  OptimizerStep(context, Groups(context, problems), FromHost<int32_t>(context, {0}, {1}));
  EXPECT_EQ(AllBits(context, problems), before);
  OptimizerStep(context, Groups(context, problems), FromHost<int32_t>(context, {1}, {1}));
  EXPECT_NE(AllBits(context, problems), before);
}

TEST(OptimizerStep, UnalignedParametersGiveTheSameBits) {
  testing::TestContext context;
  const auto step = [&](int64_t shift) {
    ParameterUpdate u;
    const auto at = [&](uint32_t seed, float low) {
      const Tensor padded = Zeros(context, {1000 + shift});
      const Tensor part = SliceView(padded, 0, shift, 1000 + shift);
      CopyInto(context, part, RandomTensor(context, {1000}, seed, low, 1));
      return part;
    };
    u.parameter = at(1, -1), u.gradient = at(2, -1), u.first_moment = at(3, -1), u.second_moment = at(4, 0);
    AdamStep(context, {u}, {}, 2);
    return BitsOf(ToHost<float>(context, u.parameter));
  };
  EXPECT_EQ(step(0), step(1));
  EXPECT_EQ(step(0), step(3));
}

// The kernels get the same updates; each instruction set and thread count works on a copy.
TEST(Optim, SameBitsOnEveryInstructionSetAndThreadCount) {
  Context context;
  const int threads = Threads();
  std::vector<std::vector<uint32_t>> first;
  for (const Isa isa : testing::IsasToTest()) {
    for (const int count : {1, 3}) {
      SetThreads(count);
      const std::vector<Problem> problems = MakeProblems(context);
      for (const UpdateKind kind : kAllKinds) {
        const StepScalars scalars = ScalarsOf(kind);
        std::vector<RowUpdate> rows;
        for (const Problem& x : problems) {
          const ParameterUpdate& u = x.update;
          const auto data = [](const Tensor& t) { return t.defined() ? t.data<float>() : nullptr; };
          rows.push_back({data(u.parameter), data(u.gradient), data(u.first_moment), data(u.second_moment),
                          data(u.gain), data(u.decay), scalars.data(), x.rows, x.elements, -0.9f, 0.9f, kind});
        }
        BG_KERNEL_OF(isa, OptimizerStep)(context.kernel(), rows.data(), static_cast<int64_t>(rows.size()), {});
      }
      std::vector<std::vector<uint32_t>> bits;
      for (const Problem& x : problems) {
        for (const Tensor& t : {x.update.parameter, x.update.first_moment, x.update.second_moment}) {
          bits.push_back(BitsOf(ToHost<float>(context, t)));
        }
      }
      if (first.empty()) first = bits;
      EXPECT_EQ(bits, first) << IsaName(isa) << ", " << count << " threads";
    }
  }
  SetThreads(threads);
}

TEST(Optim, AllocatesNothing) {
  testing::TestContext context;
  const std::vector<ParameterUpdate> updates = Updates(MakeProblems(context));
  AdamStep(context, updates, {}, 1);
  const PoolStatistics before = context.pool()->statistics();
  AdamStep(context, updates, {}, 1);
  SgdStep(context, updates, {0.1, 0.9, true, 0});
  EXPECT_EQ(context.pool()->statistics().system_allocations, before.system_allocations);
  EXPECT_EQ(context.pool()->statistics().in_use_bytes, before.in_use_bytes);
}

TEST(Optim, BadOperands) {
  testing::TestContext context;
  const ParameterUpdate good = MakeProblem(context, 4, 3, 5, true, true).update;
  const auto adam = [&](auto change) {
    return [&context, good, change] {
      ParameterUpdate bad = good;
      change(bad);
      AdamStep(context, {good, bad}, {}, 1);
    };
  };
  using U = ParameterUpdate;
  ExpectInvalid(adam([&](U& u) { u.parameter = Tensor(); }),
                {"adam_step: expected update 1's parameter to be defined"});
  ExpectInvalid(adam([&](U& u) { u.gradient = Zeros(context, {6}); }), {"update 1's gradient of 5 elements", "[6]"});
  ExpectInvalid(adam([&](U& u) { u.first_moment = Tensor(); }), {"update 1's first_moment to be defined"});
  ExpectInvalid(adam([&](U& u) { u.second_moment = Zeros(context, {3}); }),
                {"update 1's second_moment of 20 elements", "got shape [3]"});
  ExpectInvalid(adam([&](U& u) { u.gain = u.decay = Zeros(context, {5}); }), {"at least 5 rows", "[4, 5]"});
  ExpectInvalid(adam([&](U& u) { u.decay = Zeros(context, {2}); }), {"update 1's decay of shape [3], got [2]"});
  ExpectInvalid(adam([&](U& u) { u.parameter = Zeros(context, {}); }), {"with rows", "got a scalar"});
  ExpectInvalid([&] { AdamStep(context, {good}, {}, 0); }, {"adam_step: expected a step of at least 1, got 0"});
  ExpectInvalid([&] { AdamStep(context, {good}, {1e-3, 1.0}, 1); }, {"adam_step: expected betas in [0, 1), got 1"});
  ExpectInvalid([&] { SgdStep(context, {good}, {0.1, 0, true}); }, {"sgd_step: expected momentum with nesterov"});
  ExpectInvalid(
      [&] {
        OptimizerStep(context, {{{good}, UpdateKind::kAdam, Zeros(context, {7})}});
      },
      {"optimizer_step: expected scalars of shape [8], got [7]"});
  ExpectInvalid(
      [&] {
        OptimizerStep(context, {{{good}, UpdateKind::kAdam, Zeros(context, {8})}}, Zeros(context, {1}));
      },
      {"optimizer_step: expected proceed of dtype int32"});
}

}  // namespace
}  // namespace bitgate
