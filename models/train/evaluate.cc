#include "models/train/evaluate.h"

#include <algorithm>

#include "models/data/loader.h"
#include "models/train/device_batch.h"
#include "ops/loss/loss.h"
#include "runtime/base/error.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
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

PreprocessingOptions PreprocessingOf(const Graph& graph) {
  const Preprocessing& declared = graph.preprocessing();
  PreprocessingOptions options;
  options.scale = declared.scale();
  options.mean.assign(declared.mean().begin(), declared.mean().end());
  options.std.assign(declared.std().begin(), declared.std().end());
  options.flat = graph.input_shape().size() == 1;
  return options;
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
  Loader loader(dataset, PreprocessingOf(network.graph()), loading);
  loader.StartEpoch(0);
  Context& context = network.context();
  EvaluationResult result;
  double loss_sum = 0;
  while (const Batch* batch = loader.Next()) {
    const DeviceBatch on_device(context, network.graph().input_shape(), *batch);
    const Tensor logits = network.Forward(on_device.images(), Mode::kEvaluate).logits;
    const Tensor loss = SoftmaxCrossEntropy(context, logits, on_device.labels());
    loss_sum += static_cast<double>(ScalarOf(context, loss)) * static_cast<double>(batch->size);
    result.correct += CountCorrect(context, logits, on_device.labels());
    result.images += batch->size;
    if (options.predictions) {
      const std::vector<int32_t> largest = LargestOfRows(context, logits);
      result.predictions.insert(result.predictions.end(), largest.begin(), largest.end());
    }
    if (options.progress && !options.progress(result.images)) {
      throw Cancelled("evaluate: stopped on request after ", result.images, " of ", dataset.size(), " images");
    }
  }
  result.cross_entropy = loss_sum / static_cast<double>(result.images);
  return result;
}

}  // namespace bitgate
