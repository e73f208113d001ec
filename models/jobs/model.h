// A network in memory with the configuration it was made from: what a checkpoint is on the disk. The verbs on files
// (jobs.h) open one, act and save; front doors hold on to it.
#ifndef BITGATE_MODELS_JOBS_MODEL_H_
#define BITGATE_MODELS_JOBS_MODEL_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/data/dataset.h"
#include "models/jobs/config.h"
#include "models/nn/network.h"
#include "models/quantized/bit_report.h"
#include "models/train/checkpoint.h"
#include "models/train/evaluate.h"
#include "runtime/device/compute.h"
#include "runtime/device/context.h"
#include "runtime/device/device.h"

namespace bitgate::jobs {

// Where and how a job computes. It leaves no trace in what is written, but results are reproducible for one device, way
// of computing and thread count only.
struct Machine {
  Device device;
  int threads = 0;  // 0: as many as the process may use
  Compute compute = Compute::kFloat32;
};

// Labelled images for the two halves of a job: a folder as OpenDataset takes it ("" is Fashion-MNIST), or arrays in
// memory, which come first.
struct Data {
  std::string folder;
  std::optional<Dataset> train, test;
};

struct ExportResult {
  std::vector<std::string> warnings;  // layers pruned whole, ...
  std::vector<std::string> notes;     // weights whose codes do not fit int8, and how they are written
  BitReport bits;
};

class Model {
 public:
  // A network with initial weights. Throws what CheckButEpochs throws; UnsupportedDevice, also for a device that cannot
  // compute so.
  Model(const Config& config, const Machine& machine);
  // From a checkpoint of any verb. Throws NotFound, DataLoss or FailedPrecondition for one that is missing, damaged or
  // not ours.
  static std::unique_ptr<Model> Open(const std::string& checkpoint, const Machine& machine);
  // An independent twin on the same device that computes in the same way.
  std::unique_ptr<Model> Clone();

  const Config& config() const { return config_; }
  // The text that checkpoints and exported models carry: that of the checkpoint it was read from, to the letter, until
  // the configuration is set.
  const std::string& configuration() const { return configuration_; }
  // For another training: the network stays. Throws InvalidArgument if network or quantizer differ.
  void set_config(const Config& config);
  // How products and convolutions compute from now on, in trainings under way too. Throws UnsupportedDevice.
  void set_compute(Compute compute) { context_->set_compute(compute); }
  Compute compute() const { return context_->compute(); }
  // In messages: the checkpoint's path, or the network's name.
  const std::string& name() const { return name_; }
  Network& network() { return *network_; }
  Context& context() { return *context_; }

  BitReport Bits();
  // Renews what the method's parameters mean (Method::Adjust); an empty report where the method has nothing of the
  // kind. Throws FailedPrecondition for a frozen network.
  RequantizeReport Requantize();
  // Notes, of raw images as Logits takes them, at least one, what freezing must know of the activations; what was noted
  // before is forgotten, as it is when this does not come to its end. For loops of the caller's own: Training does it.
  // Methods that need none (Method::calibrates) look at the images alone. Throws FailedPrecondition for a frozen
  // network.
  void Calibrate(const Tensor& images, const std::function<bool(int64_t images)>& progress = {});
  // The same of the training half of a data set. Throws as OpenData does.
  void Calibrate(const Data& data);
  // Fixes bits and channels. Throws FailedPrecondition if that has happened already.
  FreezeReport Freeze();
  // Throws FailedPrecondition for a frozen network.
  void RequireLearning(const std::string& verb);
  // Throws FailedPrecondition, telling to freeze first.
  void RequireFrozen(const std::string& verb);
  // Writes a checkpoint without training progress, whole or not at all.
  void Save(const std::string& path);
  // Throws FailedPrecondition unless frozen.
  ExportResult ExportOnnx(const std::string& path);

  // The test half. A batch size of 0 is the configuration's. Throws as bitgate::Evaluate does.
  EvaluationResult Evaluate(const Data& data, EvaluationOptions options);
  // Raw images (as a data set has them: uint8 or float32, [n, ...input_shape], on the CPU) the way the network wants
  // them: preprocessed, float32, on its device. Throws InvalidArgument for shapes and dtypes that do not fit
  // and pixels that are not finite.
  Tensor Preprocessed(const Tensor& images);
  // Logits [n, classes] of raw images, on the network's device, as evaluation and the frozen network compute them, in
  // batches of the configuration's evaluation size. `progress` as in EvaluationOptions.
  Tensor Logits(const Tensor& images, const std::function<bool(int64_t images)>& progress = {});
  // The class of the largest logit (the first of equals) of each raw image.
  std::vector<int32_t> Predict(const Tensor& images, const std::function<bool(int64_t images)>& progress = {});

 private:
  Model(const Checkpoint& checkpoint, const Machine& machine);

  void CalibrateBy(const std::function<void()>& pass);
  // Calls work(batch, begin, end) with the preprocessed images of each batch; `verb` is for messages.
  void InBatches(const std::string& verb, const Tensor& images,
                 const std::function<void(const Tensor& batch, int64_t begin, int64_t end)>& work,
                 const std::function<bool(int64_t images)>& progress);

  Config config_;
  std::string configuration_;
  std::string name_;
  std::unique_ptr<Context> context_;
  std::unique_ptr<Network> network_;
};

// One half of the data, checked against the network: labels and shapes that do not fit are InvalidArgument.
Dataset OpenData(const Data& data, Split split, const Graph& graph);

// The configuration in a checkpoint. Throws DataLoss.
Config ConfigOf(const Checkpoint& checkpoint);

// Throws what writing `path` would throw, now; nothing is left behind.
void CheckWritable(const std::string& path);

}  // namespace bitgate::jobs

#endif  // BITGATE_MODELS_JOBS_MODEL_H_
