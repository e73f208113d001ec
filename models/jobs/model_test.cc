#include "models/jobs/model.h"

#include <filesystem>
#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/jobs/training.h"
#include "models/train/test_run.h"
#include "runtime/tensor/copy.h"

namespace bitgate::jobs {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

Config TinyConfig() {
  Config config;
  *config.mutable_network()->mutable_graph() = TestGraph().proto();
  *config.mutable_quantizer() = TestQuantizer();
  config.mutable_training()->set_epochs(2);
  config.mutable_training()->set_batch_size(16);
  config.mutable_training()->mutable_weights()->set_learning_rate(0.01);
  return config;
}

Data TinyData() {
  Data data;
  data.train = TestTrainData();
  data.test = TestTestData();
  return data;
}

Tensor RawImages(const Dataset& dataset) {
  auto& pixels = const_cast<std::vector<uint8_t>&>(std::get<std::vector<uint8_t>>(dataset.pixels()));
  return BorrowTensor(pixels.data(), {dataset.size(), kTestSide, kTestSide, 1}, DType::kUint8, {});
}

std::string MessageOf(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

class ModelTest : public ::testing::Test {
 protected:
  TestFolder folder;
  Model model{TinyConfig(), {}};
};

TEST_F(ModelTest, PredictsWhatEvaluationCounts) {
  Training(model, {TinyData()}).Fit({});
  EvaluationOptions options;
  options.batch_size = 0;
  options.predictions = true;
  const EvaluationResult evaluation = model.Evaluate(TinyData(), options);
  EXPECT_EQ(model.Predict(RawImages(TestTestData())), evaluation.predictions);
  EXPECT_EQ(model.Logits(RawImages(TestTestData())).shape(), Shape({20, kTestClasses}));
  EXPECT_TRUE(model.Predict(SliceView(RawImages(TestTestData()), 0, 0, 0)).empty());
}

TEST_F(ModelTest, RefusesImagesThatDoNotFit) {
  Context context;
  EXPECT_THAT(MessageOf([&] { model.Preprocessed(Zeros(context, {2, 6, 5, 1})); }), HasSubstr("[2, 6, 5, 1]"));
  EXPECT_THAT(MessageOf([&] { model.Preprocessed(Zeros(context, {2, 6, 6, 1}, DType::kInt32)); }), HasSubstr("int32"));
  EXPECT_THAT(MessageOf([&] { model.Logits(Zeros(context, {})); }), HasSubstr("expected images of shape"));
  EXPECT_THAT(MessageOf([&] { model.Predict(Tensor()); }), HasSubstr("expected images of shape"));
}

TEST_F(ModelTest, AcceptsAnotherTrainingAndNoOtherNetwork) {
  Config config = TinyConfig();
  config.mutable_training()->set_epochs(5);
  model.set_config(config);
  EXPECT_EQ(model.config().training().epochs(), 5);
  config.mutable_quantizer()->set_mu(3);
  EXPECT_THAT(MessageOf([&] { model.set_config(config); }), HasSubstr("mu"));
  config = TinyConfig();
  *config.mutable_network()->mutable_graph() = TestGraph(5).proto();
  EXPECT_THAT(MessageOf([&] { model.set_config(config); }), HasSubstr("another"));
  config = TinyConfig();
  config.mutable_training()->set_batch_size(0);
  EXPECT_THAT(MessageOf([&] { model.set_config(config); }), HasSubstr("batch_size"));
  EXPECT_EQ(model.config().training().epochs(), 5);
}

TEST_F(ModelTest, ACloneGoesItsOwnWay) {
  Training(model, {TinyData()}).Fit({});
  const std::unique_ptr<Model> twin = model.Clone();
  twin->Save(folder.File("twin.safetensors"));
  model.Save(folder.File("model.safetensors"));
  EXPECT_EQ(ReadIfThere(folder.File("twin.safetensors")), ReadIfThere(folder.File("model.safetensors")));
  twin->Freeze();
  EXPECT_FALSE(model.network().frozen());
}

Config BsqConfig() {
  Config config = TinyConfig();
  *config.mutable_network()->mutable_graph() = TestResidualGraph().proto();
  *config.mutable_quantizer() = TestQuantizer("bsq");
  return config;
}

int64_t PeakBytes(Model& model) { return model.context().pool()->statistics().peak_in_use_bytes; }

// Planes are 16 tensors for each weight; a frozen network has none, and needs none to be opened.
TEST_F(ModelTest, AFrozenFileIsOpenedWithoutPlanes) {
  Model learning(BsqConfig(), {});
  const int64_t bytes = PeakBytes(learning);
  learning.Calibrate(RawImages(TestTrainData()));
  learning.Freeze();
  learning.Save(folder.File());
  const std::unique_ptr<Model> opened = Model::Open(folder.File(), {});
  EXPECT_LT(PeakBytes(*opened), bytes / 3);
  EXPECT_TRUE(opened->network().frozen());
  EXPECT_EQ(opened->network().source().ToText(), TestResidualGraph().ToText());
  EXPECT_EQ(opened->network().graph().ToText(), learning.network().graph().ToText());
  const Tensor images = RawImages(TestTestData());
  EXPECT_EQ(ToHost<float>(opened->context(), opened->Logits(images)),
            ToHost<float>(learning.context(), learning.Logits(images)));
  opened->Save(folder.File("again.safetensors"));
  EXPECT_EQ(ReadIfThere(folder.File("again.safetensors")), ReadIfThere(folder.File()));
}

// Plain weights that say to be planes ask for 16 times the memory.
TEST_F(ModelTest, AFileHoldsAllThatItsNetworkAllocates) {
  const std::string path = folder.File();
  Model(BsqConfig(), {}).Save(path);
  EXPECT_EQ(MessageOf([&] { Model::Open(path, {}); }), "");
  model.Save(path);
  Checkpoint checkpoint = ReadCheckpoint(path);
  Config config = TinyConfig();
  *config.mutable_quantizer() = TestQuantizer("bsq");
  checkpoint.configuration = ToText(config);
  WriteCheckpoint(path, checkpoint);
  // 36 + 512 + 24 weights and 4 + 8 + 3 biases in 16 planes each, and 6 scales.
  EXPECT_THAT(MessageOf([&] { Model::Open(path, {}); }),
              AllOf(HasSubstr(path), HasSubstr("expected at least the 9398 values that its network has, got ")));
}

TEST_F(ModelTest, TrainingInPiecesWritesTheSameFiles) {
  const std::string whole = folder.File("whole.safetensors"), pieces = folder.File("pieces.safetensors");
  const TrainResult result = Training(model, {TinyData(), whole}).Fit({});
  EXPECT_EQ(result.epochs, 2);
  EXPECT_EQ(result.best, BestPath(whole));

  Model other(TinyConfig(), {});
  Training training(other, {TinyData(), pieces});
  EXPECT_THAT(MessageOf([&] { Training(model, {TinyData(), pieces, Existing::kOverwrite}); }), HasSubstr("pieces"));
  int calls = 0;
  TrainerCallbacks stopping;
  stopping.progress = [&](const StepSummary&) { return ++calls != 2; };
  EXPECT_THAT(MessageOf([&] { training.Fit(stopping); }), HasSubstr("stopped on request"));
  EXPECT_EQ(training.Fit({}).epochs, 2);
  EXPECT_EQ(ReadIfThere(pieces), ReadIfThere(whole));
  EXPECT_EQ(training.Fit({}).epochs, 0);
}

TEST_F(ModelTest, ATrainingFitsOrSteps) {
  Training training(model, {TinyData()});
  Context context;
  const Tensor labels = FromHost(context, TestTrainData().labels(), {40});
  training.Step(RawImages(TestTrainData()), labels);
  EXPECT_THAT(MessageOf([&] { training.Fit({}); }), HasSubstr("single steps"));
  Training fitting(model, {TinyData()});
  fitting.Fit({});
  EXPECT_THAT(MessageOf([&] { fitting.Step(RawImages(TestTrainData()), labels); }), HasSubstr("begun to fit"));
  Training without(model);
  EXPECT_THAT(MessageOf([&] { without.Fit({}); }), HasSubstr("expected data"));
}

}  // namespace
}  // namespace bitgate::jobs
