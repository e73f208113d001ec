// Which image is in which batch.
#ifndef BITGATE_MODELS_DATA_BATCHING_H_
#define BITGATE_MODELS_DATA_BATCHING_H_

#include <algorithm>
#include <cstdint>
#include <vector>

namespace bitgate {

// The random stream that shuffles draw from; the step of their key is the epoch.
constexpr uint32_t kShuffleStream = 0x53485546;  // "SHUF"

// Of images of a data set: padded with `pad` zeros (black) on every side and cut to their size at a random place, then,
// with `flip`, mirrored left to right or not. It is the raw pixels that this happens to, before preprocessing. What
// happens is a function of seed, epoch and the image's number (ops/data/augment_math.h).
struct AugmentationOptions {
  int64_t pad = 0;
  bool flip = false;

  bool any() const { return pad != 0 || flip; }
};

struct LoaderOptions {
  int64_t batch_size = 0;
  bool shuffle = false;
  uint64_t seed = 0;                   // of the shuffle and the augmentation
  bool drop_last = false;              // leave out a last batch that would be smaller than batch_size
  int prefetch = 2;                    // batches made ahead of the one in use
  AugmentationOptions augmentation{};  // for training alone
};

// Batch i of an epoch holds images order[First(i)] .. order[First(i) + SizeOf(i) - 1], whoever makes it.
class Batching {
 public:
  // Throws InvalidArgument for a batch size or prefetch below 1, or when drop_last would leave no batch at all.
  Batching(int64_t images, const LoaderOptions& options);

  int64_t images() const { return images_; }
  bool shuffles() const { return options_.shuffle; }
  int64_t batches_per_epoch() const { return batches_per_epoch_; }
  int64_t largest() const { return std::min(options_.batch_size, images_); }  // batch, in images
  int64_t First(int64_t index) const { return index * options_.batch_size; }
  int64_t SizeOf(int64_t index) const { return std::min(options_.batch_size, images_ - First(index)); }

  // Throws InvalidArgument unless an epoch can begin there; batches_per_epoch() is its end.
  void CheckStart(int64_t epoch, int64_t first_batch) const;

  // Makes `order` that of the epoch: a function of images, seed and epoch; 0, 1, 2, ... without shuffle.
  void SetOrder(int64_t epoch, std::vector<int32_t>* order) const;

 private:
  int64_t images_;
  LoaderOptions options_;
  int64_t batches_per_epoch_;
};

}  // namespace bitgate

#endif  // BITGATE_MODELS_DATA_BATCHING_H_
