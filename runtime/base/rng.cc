#include "runtime/base/rng.h"

#include <limits>
#include <numeric>
#include <utility>

#include "runtime/base/error.h"

namespace bitgate {
namespace {

// The key's words one after the other.
class WordSequence {
 public:
  explicit WordSequence(const RandomKey& key) : key_(key) {}

  uint32_t Next() {
    if (used_ == 4) {
      block_ = Philox(key_, index_++);
      used_ = 0;
    }
    return block_.word[used_++];
  }

  // Uniform in [0, bound): the high half of word * bound, words that would favour some results drawn again
  // (Lemire, "Fast random integer generation in an interval", 2019, algorithm 5).
  uint32_t Below(uint32_t bound) {
    uint64_t product = uint64_t{Next()} * bound;
    if (static_cast<uint32_t>(product) < bound) {
      const uint32_t threshold = (0u - bound) % bound;
      while (static_cast<uint32_t>(product) < threshold) product = uint64_t{Next()} * bound;
    }
    return static_cast<uint32_t>(product >> 32);
  }

 private:
  RandomKey key_;
  PhiloxBlock block_{};
  uint32_t index_ = 0;
  int used_ = 4;
};

}  // namespace

void Permutation(const RandomKey& key, int64_t n, std::vector<int32_t>* order) {
  if (n < 0 || n > std::numeric_limits<int32_t>::max()) {
    throw InvalidArgument("Permutation: expected a length from 0 to 2147483647, got ", n);
  }
  order->resize(static_cast<size_t>(n));
  std::iota(order->begin(), order->end(), 0);
  WordSequence words(key);
  for (int64_t last = n - 1; last > 0; --last) {
    std::swap((*order)[last], (*order)[words.Below(static_cast<uint32_t>(last) + 1)]);
  }
}

}  // namespace bitgate
