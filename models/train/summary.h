// What training tells about itself: read-only values for progress bars, logs and tests.
#ifndef BITGATE_MODELS_TRAIN_SUMMARY_H_
#define BITGATE_MODELS_TRAIN_SUMMARY_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "models/train/optimizer.h"
#include "models/train/progress.h"

namespace bitgate {

// After every step, and after every batch of the evaluation that ends an epoch.
struct StepSummary {
  Phase phase;
  int64_t epoch, epochs;             // epoch from 1, of the phase
  int64_t step, steps;               // steps taken in this epoch, of how many
  int64_t images, images_per_epoch;  // trained on in this epoch
  double loss;                       // mean cross-entropy of the epoch so far
  double penalty;                    // mean regularizer of the epoch so far
  double accuracy;                   // on the training images of the epoch so far, 0 to 1
  bool evaluating;                   // the steps are done, the test set is being evaluated
  int64_t evaluated_images, evaluation_images;
  int64_t total_steps_done, total_steps;  // of the whole run, for a time left
};

// What one quantized tensor has come to.
struct SiteSummary {
  std::string name;
  int bits;
  bool is_weight;
  int64_t kept_channels, channels;  // weights: of the layer's output; 0 for activations
};

struct EpochSummary {
  Phase phase;
  int64_t epoch, epochs;  // epoch from 1, of the phase
  int64_t line;           // number of the epoch in the run, from 1, over all phases
  int64_t global_step;
  double train_loss, train_penalty, train_accuracy;  // means over the epoch
  double test_loss, test_accuracy;                   // at its end, as frozen networks compute
  double penalty;                                    // at its end
  double objective;                                  // test_loss + penalty
  // The lowest objective of the phase so far; where its end re-quantizes, that of the last epoch alone.
  bool best;
  double relative_bops;                                 // to 32-bit weights and activations, 0 to 1
  int64_t bytes;                                        // of weights and biases
  double weight_compression;                            // as NetworkCost has it
  std::vector<SiteSummary> sites;                       // in the order of the graph
  std::array<double, kParameterGroups> learning_rates;  // of the last step, by ParameterGroup
};

}  // namespace bitgate

#endif  // BITGATE_MODELS_TRAIN_SUMMARY_H_
