// Remembers what is expensive to prepare for a shape: oneDNN primitives, cuDNN plans.
#ifndef BITGATE_RUNTIME_DEVICE_PLAN_CACHE_H_
#define BITGATE_RUNTIME_DEVICE_PLAN_CACHE_H_

#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <unordered_map>

namespace bitgate {

// Which plan: a kernel's name (a string literal, compared by its text) and the numbers it depends on, shapes mostly.
class PlanKey {
 public:
  PlanKey(const char* kernel, std::initializer_list<int64_t> numbers);
  // Throws Internal when there are more than kMaxNumbers.
  void Append(int64_t number);
  bool operator==(const PlanKey& other) const;
  size_t Hash() const;

 private:
  static constexpr int kMaxNumbers = 32;
  const char* kernel_;
  std::array<int64_t, kMaxNumbers> numbers_{};
  int count_ = 0;
};

// Not thread-safe: it belongs to one Context. Holds at most kMaxPlans; when full it starts over, so that a caller with
// ever-changing shapes does not grow without bound.
class PlanCache {
 public:
  static constexpr size_t kMaxPlans = 1024;

  // The plan for `key`, made by `make()` (returning std::shared_ptr<Plan>) when it is not there. One key, one type.
  template <class Plan, class Make>
  std::shared_ptr<Plan> Get(const PlanKey& key, Make make) {
    auto found = plans_.find(key);
    if (found != plans_.end()) return std::static_pointer_cast<Plan>(found->second);
    std::shared_ptr<Plan> plan = make();
    if (plans_.size() >= kMaxPlans) plans_.clear();
    plans_.emplace(key, plan);
    return plan;
  }

  size_t size() const { return plans_.size(); }

 private:
  struct Hasher {
    size_t operator()(const PlanKey& key) const { return key.Hash(); }
  };
  std::unordered_map<PlanKey, std::shared_ptr<void>, Hasher> plans_;
};

}  // namespace bitgate

#endif  // BITGATE_RUNTIME_DEVICE_PLAN_CACHE_H_
