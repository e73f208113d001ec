#include "models/graph/precision.h"

#include <algorithm>
#include <set>

#include "runtime/base/error.h"

namespace bitgate {
namespace {

std::vector<int> AllBits(Role role) {
  return role == Role::kWeight ? std::vector<int>{0, 2, 4, 8, 16, 32} : std::vector<int>{2, 4, 8, 16, 32};
}

}  // namespace

void CheckPrecision(const std::string& where, const TensorPrecision& precision, Role role) {
  const std::vector<int> all = AllBits(role);
  for (const int bits : precision.allowed_bits()) {
    if (std::find(all.begin(), all.end(), bits) == all.end()) {
      throw InvalidArgument(where, ": allowed_bits: expected a subset of ", role == Role::kWeight ? "0, " : "",
                            "2, 4, 8, 16, 32, got ", bits);
    }
  }
  if (precision.leave_float() && !precision.allowed_bits().empty()) {
    throw InvalidArgument(where, ": expected either allowed_bits or leave_float, got both");
  }
  if (!precision.allowed_bits().empty() && AllowedBits(precision, role).back() == 0) {
    throw InvalidArgument(where, ": allowed_bits: expected a bit width besides 0, got only 0");
  }
}

std::vector<int> AllowedBits(const TensorPrecision& precision, Role role) {
  if (precision.allowed_bits().empty()) return AllBits(role);
  const std::set<int> bits(precision.allowed_bits().begin(), precision.allowed_bits().end());
  return {bits.begin(), bits.end()};
}

}  // namespace bitgate
