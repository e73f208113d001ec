// What op tests share: random operands, comparison with a double-precision reference, gradients through a tape.
#ifndef BITGATE_OPS_OP_TESTING_H_
#define BITGATE_OPS_OP_TESTING_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "runtime/base/cpu.h"
#include "runtime/base/error.h"
#include "runtime/device/context.h"
#include "runtime/device/test_context.h"
#include "runtime/tensor/copy.h"
#include "runtime/tensor/tensor.h"

namespace bitgate {
namespace testing {

constexpr double kEpsilon = 0x1p-23;  // of float32

// `count` values in [low, high), a function of `seed`.
std::vector<float> RandomValues(int64_t count, uint32_t seed, float low = -1, float high = 1);
Tensor RandomTensor(Context& context, const Shape& shape, uint32_t seed, float low = -1, float high = 1);

// A double-precision result and, per element, the sum of the magnitudes of its terms: what rounding errors scale with.
struct Reference {
  std::vector<double> value, magnitude;
  explicit Reference(int64_t size) : value(size, 0.0), magnitude(size, 0.0) {}
  void Add(int64_t index, double term) {
    value[index] += term;
    magnitude[index] += std::abs(term);
  }
};

// For a float32 sum of `terms` products in unknown order: an error of half an epsilon per product and per partial sum.
// The errors have random signs, and a partial sum is at most the magnitude: about sqrt(terms) half epsilons of it.
inline double SumTolerance(int64_t terms) { return 2 + 0.5 * std::sqrt(static_cast<double>(terms)); }

// `count` integers in [low, high], a function of `seed`.
std::vector<float> RandomIntegers(int64_t count, uint32_t seed, int low, int high);
// values * factor.
std::vector<float> Times(std::vector<float> values, float factor);

// Fails unless |actual - value| <= epsilons * kEpsilon * magnitude for every element.
void ExpectClose(Context& context, const Tensor& actual, const Reference& expected, double epsilons,
                 const std::string& what);

// Fails unless `body` throws an Error with code kInvalidArgument whose message has all `parts`.
void ExpectInvalid(const std::function<void()>& body, const std::vector<std::string>& parts);

// Runs `forward` on `inputs`, recorded, then backward from the sum of result * weights, so that the gradient that
// reaches the op is `weights`. Returns the result first, then each input's gradient.
using Forward = std::function<Tensor(Context&, const std::vector<Tensor>&)>;
std::vector<Tensor> RunWithGradients(Context& context, const Forward& forward, std::vector<Tensor> inputs,
                                     const Tensor& weights);

// For comparison to the last bit, NaNs and signed zeros included.
std::vector<uint32_t> BitsOf(const std::vector<float>& values);

// The instruction sets this processor has; names the others in the test's output, so that a skip is seen.
std::vector<Isa> IsasToTest();

// The kernel `name` of the given instruction set.
#define BG_KERNEL_OF(isa, name)                                     \
  ((isa) == ::bitgate::Isa::kAvx512 ? &::bitgate::cpu::avx512::name \
   : (isa) == ::bitgate::Isa::kAvx2 ? &::bitgate::cpu::avx2::name   \
                                    : &::bitgate::cpu::scalar::name)

// Sizes around the vector width and the block size of the loop drivers.
const std::vector<int64_t>& InterestingSizes();

}  // namespace testing
}  // namespace bitgate

#endif  // BITGATE_OPS_OP_TESTING_H_
