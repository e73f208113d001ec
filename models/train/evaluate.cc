#include "models/train/evaluate.h"

#include <algorithm>

#include "ops/loss/loss.h"
#include "runtime/base/error.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

// Losses and counts of batches. They stay on the device until many can be read at once.
class BatchSums {
 public:
  BatchSums(Context& context, int64_t batches)
      : context_(context),
        losses_(Empty(context, {std::min(batches, kMostUnread)})),
        correct_of_(Empty(context, losses_.shape(), DType::kInt32)) {}

  void Add(const Tensor& logits, const Tensor& labels) {
    const int64_t place = static_cast<int64_t>(sizes_.size());
    const Tensor loss = SoftmaxCrossEntropy(context_, logits, labels);
    CopyInto(context_, SliceView(losses_, 0, place, place + 1), ReshapeView(loss, {1}));
    CountCorrectInto(context_, SliceView(correct_of_, 0, place, place + 1), logits, labels);
    sizes_.push_back(labels.size());
    if (place + 1 == losses_.size()) Read();
  }

  // Until here loss() and correct() may lack what was added.
  void Read() {
    if (sizes_.empty()) return;
    const std::vector<float> losses = ToHost<float>(context_, losses_);
    const std::vector<int32_t> correct = ToHost<int32_t>(context_, correct_of_);
    for (size_t i = 0; i < sizes_.size(); ++i) {
      loss_ += static_cast<double>(losses[i]) * static_cast<double>(sizes_[i]);
      correct_ += correct[i];
    }
    sizes_.clear();
  }

  double loss() const { return loss_; }  // sum over images
  int64_t correct() const { return correct_; }

 private:
  static constexpr int64_t kMostUnread = 1024;

  Context& context_;
  Tensor losses_, correct_of_;  // of the batches not yet read
  std::vector<int64_t> sizes_;  // of these
  double loss_ = 0;
  int64_t correct_ = 0;
};

}  // namespace

std::vector<int32_t> LargestOfRows(Context& context, const Tensor& logits) {
  const std::vector<float> values = ToHost<float>(context, logits);
  const int64_t classes = logits.shape()[1];
  std::vector<int32_t> largest;
  for (int64_t image = 0; image < logits.shape()[0]; ++image) {
    const float* row = values.data() + image * classes;
    largest.push_back(static_cast<int32_t>(std::max_element(row, row + classes) - row));
  }
  return largest;
}

void CheckDataset(const std::string& where, const Graph& graph, const Dataset& dataset) {
  const ImageShape& shape = dataset.image_shape();
  const Dims image = {shape.height, shape.width, shape.channels}, flat = {shape.elements()};
  if (graph.input_shape() != image && graph.input_shape() != flat) {
    throw InvalidArgument(where, ": expected images of the input shape ", DimsText(graph.input_shape()),
                          " of network '", graph.name(), "', got ", DimsText(image));
  }
  const Dims& output = graph.shape(graph.output());
  if (output.size() != 1) {
    throw InvalidArgument(where, ": expected network '", graph.name(), "' to give one value a class, got outputs of ",
                          DimsText(output));
  }
  if (dataset.num_classes() > output[0]) {
    throw InvalidArgument(where, ": expected labels of the ", output[0], " classes that network '", graph.name(),
                          "' tells apart, got ", dataset.num_classes(), " classes");
  }
}

EvaluationResult Evaluate(Network& network, const Dataset& dataset, const EvaluationOptions& options) {
  CheckDataset("evaluate", network.graph(), dataset);
  LoaderOptions loading;
  loading.batch_size = options.batch_size;
  Feeder feeder(network.context(), network.graph(), dataset, loading);
  return Evaluate(network, feeder, options);
}

EvaluationResult Evaluate(Network& network, Feeder& feeder, const EvaluationOptions& options) {
  Context& context = network.context();
  EvaluationResult result;
  BatchSums sums(context, feeder.batches_per_epoch());
  feeder.StartEpoch(0);
  while (const DeviceBatch* batch = feeder.Next()) {
    const Tensor logits = network.Forward(batch->images(), options.mode).logits;
    sums.Add(logits, batch->labels());
    result.images += batch->size();
    if (options.predictions) {
      const std::vector<int32_t> largest = LargestOfRows(context, logits);
      result.predictions.insert(result.predictions.end(), largest.begin(), largest.end());
    }
    if (options.progress && !options.progress(result.images)) {
      throw Cancelled("evaluate: stopped on request after ", result.images, " of ", feeder.size(), " images");
    }
  }
  sums.Read();
  result.correct = sums.correct();
  result.cross_entropy = sums.loss() / static_cast<double>(result.images);
  return result;
}

}  // namespace bitgate
