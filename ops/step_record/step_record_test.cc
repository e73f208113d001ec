#include "ops/step_record/step_record.h"

#include <cstring>
#include <limits>

#include "ops/op_testing.h"

namespace bitgate {
namespace {

StepRecord Read(Context& context, const Tensor& record) {
  const auto words = ToHost<int32_t>(context, record);
  StepRecord read;
  std::memcpy(&read, words.data(), sizeof(read));
  return read;
}

TEST(RecordStep, KeepsProceedWhileAllIsFinite) {
  testing::TestContext context;
  const Tensor record = FromHost<int32_t>(context, {0, 0, 7, 1}, {4});
  const auto scalar = [&](float value) { return FromHost<float>(context, {value}, {}); };
  RecordStep(context, record, scalar(2.5f), scalar(-1));
  StepRecord read = Read(context, record);
  EXPECT_EQ(read.loss, 2.5f);
  EXPECT_EQ(read.penalty, -1.0f);
  EXPECT_EQ(read.correct, 7);
  EXPECT_EQ(read.proceed, 1);

  RecordStep(context, record, scalar(3), {});
  read = Read(context, record);
  EXPECT_EQ(read.penalty, 0.0f);
  EXPECT_EQ(read.proceed, 1);
}

TEST(RecordStep, OnceSomethingIsNotFiniteItStaysSo) {
  testing::TestContext context;
  const float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<std::pair<float, float>> bad = {{nan, 0}, {infinity, 0}, {-infinity, 0}, {1, nan}, {1, infinity}};
  for (const auto& [loss, penalty] : bad) {
    const Tensor record = FromHost<int32_t>(context, {0, 0, 0, 1}, {4});
    RecordStep(context, record, FromHost<float>(context, {loss}, {}), FromHost<float>(context, {penalty}, {}));
    EXPECT_EQ(Read(context, record).proceed, 0) << loss << " " << penalty;
    RecordStep(context, record, FromHost<float>(context, {1}, {}), {});
    EXPECT_EQ(ToHost<int32_t>(context, ProceedOf(record)), std::vector<int32_t>{0});
    EXPECT_EQ(Read(context, record).loss, 1.0f);
  }
}

TEST(RecordStep, BadOperands) {
  testing::TestContext context;
  const Tensor record = Zeros(context, {4}, DType::kInt32), one = Zeros(context, {});
  testing::ExpectInvalid([&] { RecordStep(context, Zeros(context, {4}), one, {}); },
                         {"record_step: expected record of dtype int32"});
  testing::ExpectInvalid([&] { RecordStep(context, record, Zeros(context, {2}), {}); },
                         {"record_step: expected loss of one element, got shape [2]"});
  testing::ExpectInvalid([&] { RecordStep(context, record, one, Zeros(context, {2})); },
                         {"record_step: expected penalty of one element"});
}

}  // namespace
}  // namespace bitgate
