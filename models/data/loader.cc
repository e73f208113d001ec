#include "models/data/loader.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "models/data/augment.h"
#include "runtime/base/error.h"

namespace bitgate {
namespace {

std::unique_ptr<const Source> MakeSource(const Dataset& dataset, const PreprocessingOptions& preprocessing,
                                         const LoaderOptions& options) {
  if (options.augmentation.any()) return std::make_unique<AugmentedSource>(dataset, preprocessing, options);
  return std::make_unique<DatasetSource>(dataset, preprocessing);
}

}  // namespace

Loader::Loader(std::unique_ptr<const Source> source, const LoaderOptions& options, std::shared_ptr<Pool> memory)
    : source_(std::move(source)), batching_(source_->size(), options) {
  if (memory == nullptr) memory = std::make_shared<Pool>(HostMemory());
  const int64_t elements = source_->image_shape().elements(), images = batching_.largest();
  const int64_t slots = std::min(options.prefetch + int64_t{1}, batches_per_epoch());
  for (int64_t i = 0; i < slots; ++i) {
    slots_.push_back(Batch{HostArray<float>(memory, images * elements), HostArray<int32_t>(memory, images)});
  }
}

Loader::Loader(const Dataset& dataset, const PreprocessingOptions& preprocessing, const LoaderOptions& options,
               std::shared_ptr<Pool> memory)
    : Loader(MakeSource(dataset, preprocessing, options), options, std::move(memory)) {}

Loader::~Loader() { StopThread(); }

void Loader::StartEpoch(int64_t epoch, int64_t first_batch) {
  batching_.CheckStart(epoch, first_batch);
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
  if (consumed_ == batches_per_epoch()) return nullptr;
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
    if (first_batch < batches_per_epoch()) batching_.SetOrder(epoch, &order_);
    for (int64_t index = first_batch; index < batches_per_epoch(); ++index) {
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

void Loader::Fill(int64_t epoch, int64_t index, Batch* batch) const {
  const int64_t first = batching_.First(index), elements = source_->image_shape().elements();
  batch->size = batching_.SizeOf(index);
  batch->index = index;
  batch->epoch = epoch;
  batch->last = index + 1 == batches_per_epoch();
  batch->images.Resize(batch->size * elements);
  batch->labels.Resize(batch->size);
  for (int64_t i = 0; i < batch->size; ++i) {
    batch->labels[i] = source_->Read(order_[first + i], epoch, batch->images.data() + i * elements);
  }
}

}  // namespace bitgate
