// Batches of a source, made ahead of use by one thread.
#ifndef BITGATE_MODELS_DATA_LOADER_H_
#define BITGATE_MODELS_DATA_LOADER_H_

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "models/data/batching.h"
#include "models/data/dataset.h"
#include "models/data/host_array.h"
#include "models/data/preprocess.h"
#include "models/data/source.h"
#include "runtime/device/allocator.h"

namespace bitgate {

struct Batch {
  HostArray<float> images;    // [size, height, width, channels]
  HostArray<int32_t> labels;  // [size]
  int64_t size = 0;           // batch_size, or less in the last batch of an epoch
  int64_t index = 0;          // of the batch within its epoch, from 0
  int64_t epoch = 0;
  bool last = false;  // of its epoch
};

// Batch i of an epoch is a pure function of (source, options, epoch, i): starting at batch k gives the batches that an
// uninterrupted epoch gives from k on. The batches live in a ring of prefetch + 1, or of an epoch's batches if there
// are fewer, that is allocated at once and reused. One caller at a time; the thread is the loader's own business.
class Loader {
 public:
  // Batches are in `memory`; null: the system's. A source of one's own sees to its augmentation itself, a data set's
  // images get that of the options. Throws what Batching, Preprocessor and AugmentationOf throw, ResourceExhausted when
  // memory is out.
  Loader(std::unique_ptr<const Source> source, const LoaderOptions& options, std::shared_ptr<Pool> memory = nullptr);
  Loader(const Dataset& dataset, const PreprocessingOptions& preprocessing, const LoaderOptions& options,
         std::shared_ptr<Pool> memory = nullptr);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  // Begins an epoch at batch `first_batch`, also in the middle of another epoch, which is given up. `first_batch` =
  // batches_per_epoch() is an epoch that has already ended. Throws InvalidArgument when out of range,
  // ResourceExhausted when the system gives no thread.
  void StartEpoch(int64_t epoch, int64_t first_batch = 0);

  // The next batch, or null after the last of the epoch. It stays valid until the next call of Next or StartEpoch.
  // Throws what the source threw, after the batches before it; FailedPrecondition before the first StartEpoch.
  const Batch* Next();

  int64_t batches_per_epoch() const { return batching_.batches_per_epoch(); }
  int64_t size() const { return source_->size(); }
  ImageShape image_shape() const { return source_->image_shape(); }

 private:
  void StopThread();
  void Produce(int64_t epoch, int64_t first_batch);
  void Fill(int64_t epoch, int64_t index, Batch* batch) const;
  Batch& Slot(int64_t index) { return slots_[index % static_cast<int64_t>(slots_.size())]; }

  std::unique_ptr<const Source> source_;
  Batching batching_;
  std::vector<int32_t> order_;  // of the images in the epoch; written and read by the thread alone
  bool started_ = false;
  bool holding_ = false;  // the caller holds batch `consumed_`

  // The thread fills batches consumed_ .. consumed_ + slots - 1 of the epoch, the caller holds at most the first.
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Batch> slots_;
  int64_t consumed_ = 0;      // batches below this index are free again
  int64_t produced_ = 0;      // batches below this index are filled
  bool stop_ = false;         // asks the thread to end
  std::exception_ptr error_;  // what ended the thread, to be thrown once the filled batches are used up
  std::thread thread_;
};

}  // namespace bitgate

#endif  // BITGATE_MODELS_DATA_LOADER_H_
