// A training run of a second or less, for the tests of this room.
#ifndef BITGATE_MODELS_TRAIN_TEST_RUN_H_
#define BITGATE_MODELS_TRAIN_TEST_RUN_H_

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "models/graph/builder.h"
#include "models/train/trainer.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/base/rng.h"
#include "runtime/device/test_context.h"

namespace bitgate {

inline constexpr int64_t kTestSide = 6, kTestClasses = 3;

inline Graph TestGraph(int channels = 4, double scale = 1.0 / 255) {
  GraphBuilder b("tiny");
  std::string x = b.Input({kTestSide, kTestSide, 1}, Scaled(scale));
  x = b.Node("conv1", "conv2d", {x}, {{"channels", channels}, {"kernel", 3}});
  x = b.Node("relu1", "relu", {x});
  x = b.Node("flatten", "flatten", {x});
  x = b.Node("fc1", "linear", {x}, {{"channels", 8}});
  x = b.Node("relu2", "relu", {x});
  b.Node("fc2", "linear", {x}, {{"channels", static_cast<int>(kTestClasses)}});
  return b.Build();
}

// With batch norm and a residual sum.
inline Graph TestResidualGraph() {
  GraphBuilder b("tiny_residual");
  std::string x = b.Input({kTestSide, kTestSide, 1}, Scaled(1.0 / 255));
  x = b.Node("conv1", "conv2d", {x}, {{"channels", 4}, {"kernel", 3}, {"bias", false}});
  x = b.Node("bn1", "batch_norm", {x});
  const std::string relu1 = b.Node("relu1", "relu", {x});
  x = b.Node("conv2", "conv2d", {relu1}, {{"channels", 4}, {"kernel", 3}, {"padding", 1}, {"bias", false}});
  x = b.Node("bn2", "batch_norm", {x});
  x = b.Node("sum", "add", {x, relu1});
  x = b.Node("relu2", "relu", {x});
  x = b.Node("flatten", "flatten", {x});
  b.Node("fc", "linear", {x}, {{"channels", static_cast<int>(kTestClasses)}});
  return b.Build();
}

// Noise, and a bright band of two rows whose place is the class.
inline Dataset TestData(int64_t images, uint64_t seed) {
  const int64_t pixels = kTestSide * kTestSide;
  std::vector<uint8_t> values(images * pixels);
  std::vector<int32_t> labels(images);
  for (int64_t image = 0; image < images; ++image) {
    labels[image] = static_cast<int32_t>(image % kTestClasses);
    for (int64_t i = 0; i < pixels; ++i) {
      const bool band = i / kTestSide / 2 == labels[image];
      const float noise = Uniform(RandomKey{seed, 1, 0}, image * pixels + i);
      values[image * pixels + i] = static_cast<uint8_t>((band ? 120 : 0) + 130 * noise);
    }
  }
  return Dataset::FromArrays({kTestSide, kTestSide, 1}, std::move(values), std::move(labels), kTestClasses);
}

inline QuantizerConfig TestQuantizer(const std::string& method = "bayesian_bits") {
  QuantizerConfig config;
  config.set_method(method);
  config.set_mu(0.05);
  config.set_initial_gate(1);
  return config;
}

// Three steps (16, 16, 8 images) and two batches of evaluation (16, 4) an epoch.
inline TrainerOptions TestOptions() {
  TrainerOptions options;
  options.batch_size = 16;
  options.evaluation_batch_size = 16;
  options.seed = 7;
  options.gates.epochs = 2;
  options.gates.weights.learning_rate = 0.01;
  options.gates.weights.schedule.kind = ScheduleKind::kLinearLastThird;
  options.gates.gates.learning_rate = 0.05;
  options.gates.ranges.learning_rate = 0.03;
  options.fine_tune.epochs = 2;
  options.fine_tune.weights.optimizer = OptimizerKind::kSgd;
  options.fine_tune.weights.learning_rate = 0.01;
  options.fine_tune.weights.momentum = 0.9;
  options.fine_tune.weights.nesterov = true;
  options.fine_tune.weights.schedule.kind = ScheduleKind::kCosine;
  return options;
}

// A network with what it needs, as a program that has just started has it.
struct TestNetwork {
  explicit TestNetwork(uint64_t seed = 1, const Graph& graph = TestGraph(),
                       const QuantizerConfig& quantizer = TestQuantizer())
      : network(context, graph, quantizer, seed) {}
  testing::TestContext context;
  Network network;
};

inline Dataset TestTrainData() { return TestData(40, 1); }
inline Dataset TestTestData() { return TestData(20, 2); }

// An empty folder that goes with the test.
class TestFolder {
 public:
  TestFolder() {
    std::string name = ::testing::TempDir() + "/train_XXXXXX";
    path_ = ::mkdtemp(name.data()) == nullptr ? "" : name;
  }
  ~TestFolder() { std::filesystem::remove_all(path_); }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  std::string File(const std::string& name = "run.safetensors") const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// What a run leaves behind.
struct RunFiles {
  std::string last, best, log;
  bool operator==(const RunFiles& other) const { return last == other.last && best == other.best && log == other.log; }
};

inline std::string ReadIfThere(const std::string& path) { return FileExists(path) ? ReadFile(path) : ""; }

inline RunFiles ReadRun(const std::string& output) {
  return {ReadIfThere(output), ReadIfThere(BestPath(output)), ReadIfThere(LogPath(output))};
}

// Trains in a program of its own, resuming if there is a checkpoint. With `stop_at` > 0, the progress callback says
// stop at its call of that number. Returns whether training reached its end.
inline bool TrainOnce(const std::string& output, int stop_at = 0, const TrainerOptions& options = TestOptions(),
                      TrainerCallbacks callbacks = {}, const Graph& graph = TestGraph(),
                      const QuantizerConfig& quantizer = TestQuantizer()) {
  const bool resume = FileExists(output);
  TestNetwork test(resume ? 99 : 1, graph, quantizer);  // another initialisation: resuming must replace all of it
  int calls = 0;
  callbacks.progress = [&](const StepSummary&) { return ++calls != stop_at; };
  Trainer trainer(test.network, TestTrainData(), TestTestData(), options, {output, "batch_size: 16"}, callbacks);
  if (resume) trainer.Resume(ReadCheckpoint(output));
  try {
    trainer.Run();
  } catch (const Error& error) {
    if (error.code() != absl::StatusCode::kCancelled) throw;
    return false;
  }
  return true;
}

}  // namespace bitgate

#endif  // BITGATE_MODELS_TRAIN_TEST_RUN_H_
