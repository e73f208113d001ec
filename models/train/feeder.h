// Batches of a data set on the device of a network, however they get there.
#ifndef BITGATE_MODELS_TRAIN_FEEDER_H_
#define BITGATE_MODELS_TRAIN_FEEDER_H_

#include <cstdint>
#include <memory>

#include "models/data/batching.h"
#include "models/data/dataset.h"
#include "models/data/preprocess.h"
#include "models/graph/graph.h"
#include "models/train/device_batch.h"
#include "runtime/device/context.h"

namespace bitgate {

// The preprocessing a graph declares for its input, as models/data wants it.
PreprocessingOptions PreprocessingOf(const Graph& graph);

struct FeederOptions {
  // A set whose raw pixels and labels are at most so many bytes stays on the GPU. Negative: a quarter of the memory
  // that is free when the feeder is made.
  int64_t resident_bytes_limit = -1;
};

// The same batches, to the last bit, as a Loader's with the same options on every device:
//   - on the CPU they are the loader's, borrowed;
//   - a set that fits on the GPU stays there as it is, and one kernel gathers, augments and preprocesses a batch;
//   - any other comes from the loader through pinned memory and two buffers on the GPU: a batch is uploaded while the
//     kernels of the one before it run.
// On a GPU nothing here waits for kernels, but for those of two batches earlier when batches are uploaded. Batches are
// always in the same memory: tensors of equal buffer() and size() have equal addresses, smaller ones are the beginning
// of the larger. What a batch is used for must be queued before the next one is asked for.
class Feeder {
 public:
  // The images must fit the graph (CheckDataset) and the context outlive the feeder. Throws InvalidArgument for
  // options, augmentation or preprocessing that do not fit, ResourceExhausted when memory is out.
  Feeder(Context& context, const Graph& graph, const Dataset& dataset, const LoaderOptions& options,
         const FeederOptions& feeding = {});
  ~Feeder();
  Feeder(const Feeder&) = delete;
  Feeder& operator=(const Feeder&) = delete;

  // As Loader's. Nothing is allocated on the device after the constructor.
  void StartEpoch(int64_t epoch, int64_t first_batch = 0);
  // The next batch, or null after the last of the epoch; valid until the next call of Next or StartEpoch, and so, on
  // the CPU, are its tensors.
  const DeviceBatch* Next();

  int64_t batches_per_epoch() const;
  int64_t size() const { return size_; }  // of the data set
  bool resident() const { return resident_; }

  // A way for batches to get to the device.
  class Feed;

 private:
  int64_t size_;
  bool resident_;
  std::unique_ptr<Feed> feed_;
  DeviceBatch batch_;
};

}  // namespace bitgate

#endif  // BITGATE_MODELS_TRAIN_FEEDER_H_
