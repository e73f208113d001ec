#include "models/data/loader.h"

#include <algorithm>
#include <numeric>
#include <system_error>
#include <utility>

#include "runtime/base/error.h"
#include "runtime/base/rng.h"

namespace bitgate {

Loader::Loader(std::unique_ptr<const Source> source, const LoaderOptions& options)
    : source_(std::move(source)), options_(options) {
  if (options.batch_size < 1) {
    throw InvalidArgument("loader: expected batch_size of at least 1, got ", options.batch_size);
  }
  if (options.prefetch < 1) throw InvalidArgument("loader: expected prefetch of at least 1, got ", options.prefetch);
  const int64_t rest = source_->size() % options.batch_size;
  batches_per_epoch_ = source_->size() / options.batch_size + (rest > 0 && !options.drop_last ? 1 : 0);
  if (batches_per_epoch_ == 0) {
    throw InvalidArgument("loader: expected at least one whole batch of ", options.batch_size,
                          " images (the smaller last one is dropped), got ", source_->size(), " images");
  }
  slots_.resize(std::min<int64_t>(options.prefetch + int64_t{1}, batches_per_epoch_));
}

Loader::Loader(const Dataset& dataset, const PreprocessingOptions& preprocessing, const LoaderOptions& options)
    : Loader(std::make_unique<DatasetSource>(dataset, preprocessing), options) {}

Loader::~Loader() { StopThread(); }

void Loader::StartEpoch(int64_t epoch, int64_t first_batch) {
  if (epoch < 0) throw InvalidArgument("loader: expected an epoch of at least 0, got ", epoch);
  if (first_batch < 0 || first_batch > batches_per_epoch_) {
    throw InvalidArgument("loader: expected first_batch in [0, ", batches_per_epoch_, "], got ", first_batch);
  }
  StopThread();
  stop_ = false;
  error_ = nullptr;
  consumed_ = produced_ = first_batch;
  holding_ = false;
  started_ = false;
  try {
    thread_ = std::thread(&Loader::Produce, this, epoch, first_batch);
  } catch (const std::system_error& error) {
    throw ResourceExhausted("loader: expected to start a thread, got: ", error.what());
  }
  started_ = true;
}

const Batch* Loader::Next() {
  if (!started_) throw FailedPrecondition("loader: expected StartEpoch before Next");
  std::unique_lock<std::mutex> lock(mutex_);
  if (holding_) {
    holding_ = false;
    ++consumed_;
    changed_.notify_one();
  }
  if (consumed_ == batches_per_epoch_) return nullptr;
  changed_.wait(lock, [&] { return produced_ > consumed_ || error_; });
  if (produced_ == consumed_) std::rethrow_exception(error_);
  holding_ = true;
  return &Slot(consumed_);
}

void Loader::StopThread() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void Loader::Produce(int64_t epoch, int64_t first_batch) {
  try {
    if (first_batch < batches_per_epoch_) SetOrder(epoch);
    for (int64_t index = first_batch; index < batches_per_epoch_; ++index) {
      {
        std::unique_lock<std::mutex> lock(mutex_);
        changed_.wait(lock, [&] { return stop_ || index - consumed_ < static_cast<int64_t>(slots_.size()); });
        if (stop_) return;
      }
      Fill(epoch, index, &Slot(index));
      {
        std::lock_guard<std::mutex> lock(mutex_);
        produced_ = index + 1;
      }
      changed_.notify_one();
    }
  } catch (...) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      error_ = std::current_exception();
    }
    changed_.notify_one();
  }
}

void Loader::SetOrder(int64_t epoch) {
  if (options_.shuffle) {
    Permutation(RandomKey{options_.seed, kShuffleStream, static_cast<uint64_t>(epoch)}, source_->size(), &order_);
  } else if (order_.empty()) {
    order_.resize(source_->size());
    std::iota(order_.begin(), order_.end(), 0);
  }
}

void Loader::Fill(int64_t epoch, int64_t index, Batch* batch) const {
  const int64_t first = index * options_.batch_size, elements = source_->image_shape().elements();
  batch->size = std::min(options_.batch_size, source_->size() - first);
  batch->index = index;
  batch->epoch = epoch;
  batch->last = index + 1 == batches_per_epoch_;
  batch->images.resize(batch->size * elements);
  batch->labels.resize(batch->size);
  for (int64_t i = 0; i < batch->size; ++i) {
    batch->labels[i] = source_->Read(order_[first + i], epoch, batch->images.data() + i * elements);
  }
}

}  // namespace bitgate
