// What a network makes of a data set.
#ifndef BITGATE_MODELS_TRAIN_EVALUATE_H_
#define BITGATE_MODELS_TRAIN_EVALUATE_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "models/data/dataset.h"
#include "models/nn/network.h"
#include "models/train/feeder.h"

namespace bitgate {

struct EvaluationOptions {
  int64_t batch_size = 256;     // where Evaluate makes the batches itself
  Mode mode = Mode::kEvaluate;  // or kCalibrate
  bool predictions = false;     // keep the predicted class of every image
  // Called after every batch with the number of images done (on a GPU: queued); false stops: Evaluate throws Cancelled.
  std::function<bool(int64_t images)> progress;
};

struct EvaluationResult {
  int64_t images = 0, correct = 0;
  double cross_entropy = 0;          // mean over images
  std::vector<int32_t> predictions;  // the largest logit's class, the first of equals; empty unless asked for
  double accuracy() const { return images > 0 ? static_cast<double>(correct) / images : 0; }
};

// Throws InvalidArgument, naming `where`, unless the images have the network's input shape and the labels are classes
// of its output.
void CheckDataset(const std::string& where, const Graph& graph, const Dataset& dataset);

// Where the largest logit of each row is, the first of equals. logits: [n, classes], float32.
std::vector<int32_t> LargestOfRows(Context& context, const Tensor& logits);

// Runs the whole set through the network, in order, preprocessed as the graph says. Throws what
// CheckDataset throws. On a GPU it waits for the device at the end, and now and then in between; with predictions,
// after every batch.
EvaluationResult Evaluate(Network& network, const Dataset& dataset, const EvaluationOptions& options = {});

// The same with the batches of `feeder`, which was made for the network and does not shuffle: a set that is evaluated
// again and again stays on the GPU.
EvaluationResult Evaluate(Network& network, Feeder& feeder, const EvaluationOptions& options = {});

}  // namespace bitgate

#endif  // BITGATE_MODELS_TRAIN_EVALUATE_H_
