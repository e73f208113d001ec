#include "models/data/batching.h"

#include <numeric>

#include "runtime/base/error.h"
#include "runtime/base/rng.h"

namespace bitgate {

Batching::Batching(int64_t images, const LoaderOptions& options) : images_(images), options_(options) {
  if (options.batch_size < 1) {
    throw InvalidArgument("loader: expected batch_size of at least 1, got ", options.batch_size);
  }
  if (options.prefetch < 1) throw InvalidArgument("loader: expected prefetch of at least 1, got ", options.prefetch);
  const int64_t rest = images % options.batch_size;
  batches_per_epoch_ = images / options.batch_size + (rest > 0 && !options.drop_last ? 1 : 0);
  if (batches_per_epoch_ == 0) {
    throw InvalidArgument("loader: expected at least one whole batch of ", options.batch_size,
                          " images (the smaller last one is dropped), got ", images, " images");
  }
}

void Batching::CheckStart(int64_t epoch, int64_t first_batch) const {
  if (epoch < 0) throw InvalidArgument("loader: expected an epoch of at least 0, got ", epoch);
  if (first_batch < 0 || first_batch > batches_per_epoch_) {
    throw InvalidArgument("loader: expected first_batch in [0, ", batches_per_epoch_, "], got ", first_batch);
  }
}

void Batching::SetOrder(int64_t epoch, std::vector<int32_t>* order) const {
  if (options_.shuffle) {
    Permutation(RandomKey{options_.seed, kShuffleStream, static_cast<uint64_t>(epoch)}, images_, order);
  } else if (static_cast<int64_t>(order->size()) != images_) {
    order->resize(images_);
    std::iota(order->begin(), order->end(), 0);
  }
}

}  // namespace bitgate
