#include "runtime/device/plan_cache.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "runtime/base/error.h"

namespace bitgate {

PlanKey::PlanKey(const char* kernel, std::initializer_list<int64_t> numbers) : kernel_(kernel) {
  for (int64_t number : numbers) Append(number);
}

void PlanKey::Append(int64_t number) {
  if (count_ == kMaxNumbers) throw Internal("plan cache: ", kernel_, " has a key of more than ", kMaxNumbers);
  numbers_[count_++] = number;
}

bool PlanKey::operator==(const PlanKey& other) const {
  return count_ == other.count_ && std::strcmp(kernel_, other.kernel_) == 0 &&
         std::equal(numbers_.begin(), numbers_.begin() + count_, other.numbers_.begin());
}

size_t PlanKey::Hash() const {
  uint64_t hash = std::hash<std::string_view>()(kernel_);
  for (int i = 0; i < count_; ++i) hash = (hash ^ static_cast<uint64_t>(numbers_[i])) * 0x100000001b3ULL;
  return hash;
}

}  // namespace bitgate
