#include "models/train/feeder.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <variant>
#include <vector>

#include "models/data/augment.h"
#include "models/data/host_array.h"
#include "models/data/loader.h"
#include "models/graph/dims.h"
#include "ops/data/gather_images.h"
#include "runtime/base/error.h"
#include "runtime/tensor/copy.h"

namespace bitgate {

class Feeder::Feed {
 public:
  virtual ~Feed() = default;
  virtual int64_t batches_per_epoch() const = 0;
  virtual void StartEpoch(int64_t epoch, int64_t first_batch) = 0;
  virtual std::optional<DeviceBatch> Next() = 0;
};

namespace {

// [images, ...image]
Shape BatchShape(int64_t images, const Dims& image) {
  std::vector<int64_t> shape = {images};
  shape.insert(shape.end(), image.begin(), image.end());
  return Shape(shape);
}

// Where batches of up to `images` images are on the device.
struct Buffer {
  Buffer(Context& context, int64_t images, const Dims& image)
      : images(Empty(context, BatchShape(images, image))), labels(Empty(context, {images}, DType::kInt32)) {}
  DeviceBatch Batch(int64_t size, int64_t index, int number) const {
    return DeviceBatch(SliceView(images, 0, 0, size), SliceView(labels, 0, 0, size), index, number);
  }
  Tensor images, labels;
};

// Memory of the device that is written in the upload lane and read in the compute lane, one after the other.
class Handover {
 public:
  // What has had the memory before is done first.
  explicit Handover(Backend& backend) : uploaded_(backend.MakeMarker()), read_(backend.MakeMarker()) { EndReading(); }
  // The host's side of an upload under way stays until it is done.
  ~Handover() {
    try {
      WaitForUpload();
    } catch (const Error&) {
      // The device has failed, as every later call says too.
    }
  }
  Handover(const Handover&) = delete;
  Handover& operator=(const Handover&) = delete;

  void BeginUpload() { read_->HoldBack(Lane::kUpload); }
  void EndUpload() {
    uploaded_->Record(Lane::kUpload);
    uploaded_->HoldBack(Lane::kCompute);
  }
  void EndReading() { read_->Record(Lane::kCompute); }
  // Not for the readers.
  void WaitForUpload() { uploaded_->Wait(); }

 private:
  std::unique_ptr<Marker> uploaded_, read_;
};

// ---- the host's memory, borrowed ----

class BorrowedFeed : public Feeder::Feed {
 public:
  BorrowedFeed(Context& context, const Graph& graph, const Dataset& dataset, const LoaderOptions& options)
      : image_(graph.input_shape()), loader_(dataset, PreprocessingOf(graph), options, context.backend().host_pool()) {}

  int64_t batches_per_epoch() const override { return loader_.batches_per_epoch(); }
  void StartEpoch(int64_t epoch, int64_t first_batch) override { loader_.StartEpoch(epoch, first_batch); }

  std::optional<DeviceBatch> Next() override {
    const Batch* batch = loader_.Next();
    if (batch == nullptr) return std::nullopt;
    return DeviceBatch(Borrow(batch->images, BatchShape(batch->size, image_), DType::kFloat32),
                       Borrow(batch->labels, {batch->size}, DType::kInt32), batch->index, 0);
  }

 private:
  template <class T>
  static Tensor Borrow(const HostArray<T>& values, const Shape& shape, DType dtype) {
    return BorrowTensor(const_cast<T*>(values.data()), shape, dtype, {});  // inputs of ops are only read
  }

  Dims image_;
  Loader loader_;
};

// ---- uploaded batch by batch ----

class UploadedFeed : public Feeder::Feed {
 public:
  UploadedFeed(Context& context, const Graph& graph, const Dataset& dataset, const LoaderOptions& options)
      : backend_(context.backend()),
        loader_(dataset, PreprocessingOf(graph), options, backend_.host_pool()),
        slots_{Slot(context, graph, dataset, options), Slot(context, graph, dataset, options)} {}

  int64_t batches_per_epoch() const override { return loader_.batches_per_epoch(); }

  void StartEpoch(int64_t epoch, int64_t first_batch) override {
    GiveBack();
    loader_.StartEpoch(epoch, first_batch);
  }

  std::optional<DeviceBatch> Next() override {
    GiveBack();
    const Batch* batch = loader_.Next();
    if (batch == nullptr) return std::nullopt;
    // By index, not in turn: the smaller last batch of every epoch is in the same buffer.
    current_ = static_cast<int>(batch->index % 2);
    Slot& slot = slots_[current_];
    slot.handover.BeginUpload();
    backend_.Upload(slot.buffer.images.raw_data(), batch->images.data(), batch->images.bytes());
    backend_.Upload(slot.buffer.labels.raw_data(), batch->labels.data(), batch->labels.bytes());
    slot.handover.EndUpload();
    return slot.buffer.Batch(batch->size, batch->index, current_);
  }

 private:
  struct Slot {
    Slot(Context& context, const Graph& graph, const Dataset& dataset, const LoaderOptions& options)
        : buffer(context, Batching(dataset.size(), options).largest(), graph.input_shape()),
          handover(context.backend()) {}
    Buffer buffer;
    Handover handover;
  };

  // The batch last handed out: all that reads it is queued, and the loader may soon fill its memory again.
  void GiveBack() {
    if (current_ < 0) return;
    Handover& handover = slots_[current_].handover;
    current_ = -1;
    handover.EndReading();
    handover.WaitForUpload();
  }

  Backend& backend_;
  Loader loader_;
  std::array<Slot, 2> slots_;  // behind the loader: they wait for uploads before it lets go of its memory
  int current_ = -1;           // slot of the batch handed out
};

// ---- the whole set on the device ----

Tensor PixelsOnDevice(Context& context, const Dataset& dataset) {
  const Shape shape{dataset.size(), dataset.image_shape().elements()};
  return std::visit([&](const auto& pixels) { return FromHost(context, pixels, shape); }, dataset.pixels());
}

ImageTable MakeTable(Context& context, const Graph& graph, const Dataset& dataset) {
  const Preprocessor preprocessor(PreprocessingOf(graph), dataset.image_shape());
  const Shape channels{static_cast<int64_t>(preprocessor.mean().size())};
  return {PixelsOnDevice(context, dataset), FromHost(context, dataset.labels(), {dataset.size()}), preprocessor.scale(),
          FromHost(context, preprocessor.mean(), channels), FromHost(context, preprocessor.std(), channels)};
}

class ResidentFeed : public Feeder::Feed {
 public:
  ResidentFeed(Context& context, const Graph& graph, const Dataset& dataset, const LoaderOptions& options)
      : context_(context),
        batching_(dataset.size(), options),
        augmentation_(AugmentationOf(options, dataset.image_shape())),
        table_(MakeTable(context, graph, dataset)),
        buffer_(context, batching_.largest(), graph.input_shape()) {
    if (!batching_.shuffles()) return;
    for (auto& order : orders_) order = std::make_unique<Order>(context, dataset.size());
  }

  int64_t batches_per_epoch() const override { return batching_.batches_per_epoch(); }

  void StartEpoch(int64_t epoch, int64_t first_batch) override {
    batching_.CheckStart(epoch, first_batch);
    next_ = first_batch;
    augmentation_.epoch = static_cast<uint64_t>(epoch);
    if (batching_.shuffles() && next_ < batches_per_epoch()) UploadOrder(epoch);
  }

  std::optional<DeviceBatch> Next() override {
    if (next_ < 0) throw FailedPrecondition("loader: expected StartEpoch before Next");
    if (next_ == batches_per_epoch()) return std::nullopt;
    const DeviceBatch batch = buffer_.Batch(batching_.SizeOf(next_), next_, 0);
    GatherImages(context_, table_, batching_.shuffles() ? orders_[current_]->values : Tensor(), batching_.First(next_),
                 batch.images(), batch.labels(), augmentation_);
    ++next_;
    return batch;
  }

 private:
  struct Order {
    Order(Context& context, int64_t images)
        : pinned(context.backend().host_pool(), images),
          values(Empty(context, {images}, DType::kInt32)),
          handover(context.backend()) {
      pinned.Resize(images);
    }
    HostArray<int32_t> pinned;
    Tensor values;
    Handover handover;  // behind `pinned`: it waits for the upload
  };

  // There are two, so that an epoch's order arrives while kernels still read that of the epoch before.
  void UploadOrder(int64_t epoch) {
    orders_[current_]->handover.EndReading();
    current_ = 1 - current_;
    Order& order = *orders_[current_];
    batching_.SetOrder(epoch, &order_);
    order.handover.WaitForUpload();
    std::memcpy(order.pinned.data(), order_.data(), order.pinned.bytes());
    order.handover.BeginUpload();
    context_.backend().Upload(order.values.raw_data(), order.pinned.data(), order.pinned.bytes());
    order.handover.EndUpload();
  }

  Context& context_;
  Batching batching_;
  ImageAugmentation augmentation_;  // of the epoch under way
  ImageTable table_;
  Buffer buffer_;
  std::array<std::unique_ptr<Order>, 2> orders_;  // with shuffle
  int current_ = 0;                               // order of the epoch under way
  std::vector<int32_t> order_;
  int64_t next_ = -1;  // batch; -1 before the first epoch
};

bool Fits(Context& context, const Dataset& dataset, const FeederOptions& feeding) {
  if (context.device().type == DeviceType::kCpu) return false;
  const auto bytes = [](const auto& values) { return static_cast<int64_t>(values.size() * sizeof(values[0])); };
  const int64_t limit =
      feeding.resident_bytes_limit < 0 ? context.backend().FreeBytes() / 4 : feeding.resident_bytes_limit;
  return std::visit(bytes, dataset.pixels()) + bytes(dataset.labels()) <= limit;
}

}  // namespace

// ---- Feeder ----

PreprocessingOptions PreprocessingOf(const Graph& graph) {
  const Preprocessing& declared = graph.preprocessing();
  PreprocessingOptions options;
  options.scale = declared.scale();
  options.mean.assign(declared.mean().begin(), declared.mean().end());
  options.std.assign(declared.std().begin(), declared.std().end());
  options.flat = graph.input_shape().size() == 1;
  return options;
}

Feeder::Feeder(Context& context, const Graph& graph, const Dataset& dataset, const LoaderOptions& options,
               const FeederOptions& feeding)
    : size_(dataset.size()), resident_(Fits(context, dataset, feeding)) {
  context.backend().Activate();
  if (context.device().type == DeviceType::kCpu) {
    feed_ = std::make_unique<BorrowedFeed>(context, graph, dataset, options);
  } else if (resident_) {
    feed_ = std::make_unique<ResidentFeed>(context, graph, dataset, options);
  } else {
    feed_ = std::make_unique<UploadedFeed>(context, graph, dataset, options);
  }
}

Feeder::~Feeder() = default;

void Feeder::StartEpoch(int64_t epoch, int64_t first_batch) {
  batch_ = {};
  feed_->StartEpoch(epoch, first_batch);
}

const DeviceBatch* Feeder::Next() {
  batch_ = {};
  std::optional<DeviceBatch> next = feed_->Next();
  if (!next) return nullptr;
  batch_ = *std::move(next);
  return &batch_;
}

int64_t Feeder::batches_per_epoch() const { return feed_->batches_per_epoch(); }

}  // namespace bitgate
