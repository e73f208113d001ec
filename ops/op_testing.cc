#include "ops/op_testing.h"

#include <cstring>
#include <iostream>

#include "runtime/autograd/tape.h"
#include "runtime/base/rng.h"

namespace bitgate {
namespace testing {

std::vector<float> RandomValues(int64_t count, uint32_t seed, float low, float high) {
  std::vector<float> values(count);
  RandomKey key;
  key.seed = seed;
  for (int64_t i = 0; i < count; ++i) values[i] = low + (high - low) * Uniform(key, static_cast<uint64_t>(i));
  return values;
}

std::vector<float> RandomIntegers(int64_t count, uint32_t seed, int low, int high) {
  std::vector<float> values = RandomValues(count, seed, static_cast<float>(low), static_cast<float>(high + 1));
  for (float& value : values) value = std::floor(value);
  return values;
}

std::vector<float> Times(std::vector<float> values, float factor) {
  for (float& value : values) value *= factor;
  return values;
}

Tensor RandomTensor(Context& context, const Shape& shape, uint32_t seed, float low, float high) {
  return FromHost(context, RandomValues(shape.size(), seed, low, high), shape);
}

void ExpectClose(Context& context, const Tensor& actual, const Reference& expected, double epsilons,
                 const std::string& what) {
  ASSERT_TRUE(actual.defined()) << what;
  const std::vector<float> values = ToHost<float>(context, actual);
  ASSERT_EQ(values.size(), expected.value.size()) << what;
  for (size_t i = 0; i < values.size(); ++i) {
    const double tolerance = epsilons * kEpsilon * expected.magnitude[i];
    ASSERT_LE(std::abs(values[i] - expected.value[i]), tolerance)
        << what << " at " << i << " of " << actual.shape() << ": expected " << expected.value[i] << ", got "
        << values[i];
  }
}

void ExpectInvalid(const std::function<void()>& body, const std::vector<std::string>& parts) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), absl::StatusCode::kInvalidArgument);
    for (const std::string& part : parts) EXPECT_THAT(error.what(), ::testing::HasSubstr(part));
    return;
  }
  ADD_FAILURE() << "expected an error with \"" << (parts.empty() ? "" : parts[0]) << "\", got none";
}

std::vector<Tensor> RunWithGradients(Context& context, const Forward& forward, std::vector<Tensor> inputs,
                                     const Tensor& weights) {
  Tape tape;
  for (Tensor& input : inputs) {
    if (input.defined() && input.dtype() == DType::kFloat32) tape.Watch(input);
  }
  std::vector<Tensor> results(1);
  {
    Recording recording(context, tape);
    results[0] = forward(context, inputs);
    // A loss that hands `weights` to the op without any arithmetic of its own.
    Tensor loss = FromHost<float>(context, {0.0f}, {1});
    RecordOp(context, {&results[0]}, loss,
             [weights, shape = results[0].shape()](Context&, const Tensor&, GradientSink& sink) {
               sink.Set(0, ReshapeView(weights, shape));
             });
    tape.Backward(context, loss);
  }
  for (const Tensor& input : inputs) {
    const bool watched = input.defined() && input.dtype() == DType::kFloat32;
    results.push_back(watched ? tape.Gradient(input) : Tensor());
  }
  results[0] = results[0].Detached();
  return results;
}

std::vector<uint32_t> BitsOf(const std::vector<float>& values) {
  std::vector<uint32_t> bits(values.size());
  if (!values.empty()) std::memcpy(bits.data(), values.data(), sizeof(float) * values.size());
  return bits;
}

std::vector<Isa> IsasToTest() {
  std::vector<Isa> isas;
  for (const Isa isa : {Isa::kScalar, Isa::kAvx2, Isa::kAvx512}) {
    if (IsaSupported(isa)) {
      isas.push_back(isa);
    } else {
      std::cout << "[  SKIPPED ] " << IsaName(isa) << ": this processor does not have it\n";
    }
  }
  return isas;
}

const std::vector<int64_t>& InterestingSizes() {
  static const std::vector<int64_t>* const sizes =
      new std::vector<int64_t>{0, 1, 2, 7, 15, 16, 17, 31, 33, 8191, 8192, 8193, 40000};
  return *sizes;
}

}  // namespace testing
}  // namespace bitgate
