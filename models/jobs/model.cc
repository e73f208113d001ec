#include "models/jobs/model.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "models/data/open.h"
#include "models/deploy/frozen_network.h"
#include "models/deploy/onnx_writer.h"
#include "models/deploy/prune.h"
#include "models/jobs/version.h"
#include "models/quantized/method.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/base/thread_pool.h"
#include "runtime/tensor/copy.h"

namespace bitgate::jobs {
namespace {

std::unique_ptr<Context> OpenContext(const Machine& machine) {
  if (machine.threads != 0) SetThreads(machine.threads);
  return std::make_unique<Context>(machine.device, machine.compute);
}

// A damaged graph may ask for any amount of memory; the file's own tensors say how much it can need.
// Biases and batch norms are left out: they are fewer than the weights before them, and freezing folds them.
void CheckParametersFit(const Checkpoint& checkpoint, const Graph& graph, const Method& method) {
  double declared = 0, present = 0;
  std::set<int> quantized;
  for (const Site& site : method.sites()) {
    if (site.role == Role::kWeight) quantized.insert(site.node);
  }
  for (const ParameterDeclaration& declaration : method.Declare()) {
    declared += static_cast<double>(declaration.shape.size());
  }
  for (const Node& node : graph.nodes()) {
    if (node.kind->traits().has_weight && quantized.count(node.index) == 0) {
      declared += static_cast<double>(Shape(node.spec.parameters[0].shape).size());
    }
  }
  for (const auto& [name, tensor] : checkpoint.network_tensors) present += static_cast<double>(tensor.size());
  if (declared > present) {
    throw DataLoss(checkpoint.path, ": expected at least the ", declared, " values that its network has, got ",
                   present);
  }
}

// What the checkpoint's network begins with, which only has to hold the weights until a frozen one is loaded.
std::unique_ptr<Method> MethodOf(const Checkpoint& checkpoint, const Graph& graph, const QuantizerConfig& quantizer) {
  std::unique_ptr<Method> method = MakeMethod(graph, quantizer);  // for what it throws, in any case
  return Network::IsFrozenState(checkpoint.network_state) ? MakeMethod(graph, FloatQuantizer()) : std::move(method);
}

// [n, ...image]
Shape BatchShape(int64_t images, const Dims& image) {
  std::vector<int64_t> shape = {images};
  shape.insert(shape.end(), image.begin(), image.end());
  return Shape(shape);
}

int64_t CountOf(const Tensor& images) { return images.defined() && images.shape().rank() > 0 ? images.shape()[0] : 0; }

// As a Preprocessor counts: what is not [height, width, channels] is one pixel of as many values.
ImageShape ImageShapeOf(const Dims& input) {
  return input.size() == 3 ? ImageShape{input[0], input[1], input[2]} : ImageShape{1, 1, ElementCount("input", input)};
}

// Maximums and quantizers swallow a NaN, so that neither the loss nor the logits would tell.
void CheckFinitePixels(const std::string& where, const Tensor& images) {
  if (images.size() == 0) return;
  const float* values = images.data<float>();
  const int64_t elements = images.size() / images.shape()[0];
  ParallelFor(images.size(), 1 << 15, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      if (std::isfinite(values[i])) continue;
      throw InvalidArgument(where, ": expected finite pixel values, got ", values[i], " in image ", i / elements);
    }
  });
}

template <class Raw>
void PreprocessAll(const Preprocessor& preprocessor, const Raw* raw, int64_t images, float* out) {
  const int64_t elements = preprocessor.image_shape().elements();
  ParallelFor(images, 1 + (1 << 14) / elements, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) preprocessor.Image(raw + i * elements, out + i * elements);
  });
}

}  // namespace

Model::Model(const Config& config, const Machine& machine)
    : config_(config), configuration_(ToText(config)), context_(OpenContext(machine)) {
  CheckButEpochs(config);
  const Graph graph = BuildGraph(config);
  name_ = "network " + graph.name();
  network_ = std::make_unique<Network>(*context_, graph, config.quantizer(), config.training().seed());
}

Model::Model(const Checkpoint& checkpoint, const Machine& machine)
    : config_(ConfigOf(checkpoint)),
      configuration_(checkpoint.configuration),
      name_(checkpoint.path),
      context_(OpenContext(machine)) {
  const Graph graph = GraphOf(checkpoint);
  std::unique_ptr<Method> method = MethodOf(checkpoint, graph, config_.quantizer());
  CheckParametersFit(checkpoint, graph, *method);
  network_ = std::make_unique<Network>(*context_, graph, std::move(method), config_.training().seed());
  LoadNetwork(*network_, checkpoint);
}

std::unique_ptr<Model> Model::Open(const std::string& checkpoint, const Machine& machine) {
  return std::unique_ptr<Model>(new Model(ReadCheckpoint(checkpoint), machine));
}

std::unique_ptr<Model> Model::Clone() {
  Checkpoint checkpoint = CaptureNetwork(*network_, configuration_);
  checkpoint.path = name_;
  return std::unique_ptr<Model>(new Model(checkpoint, {context_->device(), 0, compute()}));
}

void Model::set_config(const Config& config) {
  if (BuildGraph(config).ToText() != network_->source().ToText()) {
    throw InvalidArgument(name_, ": expected a configuration of its own network, got one of another");
  }
  Config before, after;
  *before.mutable_quantizer() = config_.quantizer();
  *after.mutable_quantizer() = config.quantizer();
  const std::string difference = Difference(before, after);
  if (!difference.empty()) {
    throw InvalidArgument(name_, ": expected the quantizer that it was made with, got another: ", difference);
  }
  CheckButEpochs(config);
  config_ = config;
  configuration_ = ToText(config);
}

BitReport Model::Bits() { return MakeBitReport(network_->graph(), network_->States()); }

RequantizeReport Model::Requantize() {
  RequireLearning("requantizing");
  return network_->method().requantizes() ? network_->Requantize() : RequantizeReport{};
}

// `pass` shows images in Mode::kCalibrate: a part of them says nothing.
void Model::CalibrateBy(const std::function<void()>& pass) {
  Method& method = network_->method();
  method.BeginCalibration();
  try {
    pass();
  } catch (...) {
    method.BeginCalibration();
    throw;
  }
}

void Model::Calibrate(const Tensor& images, const std::function<bool(int64_t images)>& progress) {
  RequireLearning("calibration");
  if (images.defined() && images.shape().rank() > 0 && CountOf(images) == 0) {
    throw InvalidArgument(name_, ": calibration expects at least one image, got none");
  }
  const auto note = [&](const Tensor& batch, int64_t, int64_t) {
    if (network_->method().calibrates()) network_->Forward(batch, Mode::kCalibrate);
  };
  CalibrateBy([&] { InBatches("calibrate", images, note, progress); });
}

void Model::Calibrate(const Data& data) {
  RequireLearning("calibration");
  const Dataset dataset = OpenData(data, Split::kTrain, network_->graph());
  if (!network_->method().calibrates()) return;
  EvaluationOptions evaluation;
  evaluation.batch_size = config_.evaluation().batch_size();
  evaluation.mode = Mode::kCalibrate;
  CalibrateBy([&] { bitgate::Evaluate(*network_, dataset, evaluation); });
}

FreezeReport Model::Freeze() { return network_->Freeze(); }

void Model::RequireLearning(const std::string& verb) {
  if (!network_->frozen()) return;
  throw FailedPrecondition(name_, ": ", verb, " expects a model whose bits still learn, got one that is frozen");
}

void Model::RequireFrozen(const std::string& verb) {
  if (network_->frozen()) return;
  throw FailedPrecondition(name_, ": ", verb,
                           " expects a frozen checkpoint, got one that still learns its bits; freeze it first");
}

void Model::Save(const std::string& path) { WriteCheckpoint(path, CaptureNetwork(*network_, configuration_)); }

ExportResult Model::ExportOnnx(const std::string& path) {
  RequireFrozen("export");
  CheckWritable(path);
  ExportResult result;
  OnnxMetadata metadata;
  metadata.producer_version = kVersion;
  metadata.recipe = configuration_;
  const FrozenNetwork frozen = RemovePrunedChannels(ReadFrozenNetwork(*network_), &result.warnings);
  WriteOnnx(frozen, metadata, path, &result.notes);
  result.bits = Bits();
  return result;
}

EvaluationResult Model::Evaluate(const Data& data, EvaluationOptions options) {
  if (options.batch_size == 0) options.batch_size = config_.evaluation().batch_size();
  return bitgate::Evaluate(*network_, OpenData(data, Split::kTest, network_->graph()), options);
}

Tensor Model::Preprocessed(const Tensor& images) {
  const Dims& input = network_->graph().input_shape();
  const int64_t count = CountOf(images);
  if (!images.defined() || images.shape() != BatchShape(count, input)) {
    throw InvalidArgument(name_, ": expected images of shape [n, ...", DimsText(input), "], got ",
                          images.defined() ? images.shape() : Shape());
  }
  if (images.device() != Device{} || !images.contiguous()) {
    throw InvalidArgument(name_, ": expected raw images on the cpu and contiguous, got ", ToString(images.device()));
  }
  const Preprocessor preprocessor(PreprocessingOf(network_->graph()), ImageShapeOf(input));
  const bool on_cpu = context_->device() == Device{};
  std::vector<float> staged(on_cpu ? 0 : static_cast<size_t>(images.size()));
  const Tensor result = Empty(*context_, images.shape());
  float* out = on_cpu ? result.data<float>() : staged.data();
  if (images.dtype() == DType::kUint8) {
    PreprocessAll(preprocessor, images.data<uint8_t>(), count, out);
  } else if (images.dtype() == DType::kFloat32) {
    CheckFinitePixels(name_, images);
    PreprocessAll(preprocessor, images.data<float>(), count, out);
  } else {
    throw InvalidArgument(name_, ": expected images of dtype uint8 or float32, got ", ToString(images.dtype()));
  }
  return on_cpu ? result : FromHost(*context_, staged, images.shape());
}

void Model::InBatches(const std::string& verb, const Tensor& images,
                      const std::function<void(const Tensor& batch, int64_t begin, int64_t end)>& work,
                      const std::function<bool(int64_t images)>& progress) {
  const int64_t count = CountOf(images), batch_size = config_.evaluation().batch_size();
  if (count == 0) Preprocessed(images);  // for what it throws
  for (int64_t begin = 0; begin < count; begin += batch_size) {
    const int64_t end = std::min(begin + batch_size, count);
    work(Preprocessed(SliceView(images, 0, begin, end)), begin, end);
    if (progress && !progress(end)) {
      throw Cancelled(verb, ": stopped on request after ", end, " of ", count, " images");
    }
  }
}

Tensor Model::Logits(const Tensor& images, const std::function<bool(int64_t images)>& progress) {
  const Dims& output = network_->graph().shape(network_->graph().output());
  const Tensor logits = Empty(*context_, BatchShape(CountOf(images), output));
  const auto predict = [&](const Tensor& batch, int64_t begin, int64_t end) {
    CopyInto(*context_, SliceView(logits, 0, begin, end), network_->Forward(batch, Mode::kEvaluate).logits);
  };
  InBatches("predict", images, predict, progress);
  return logits;
}

std::vector<int32_t> Model::Predict(const Tensor& images, const std::function<bool(int64_t images)>& progress) {
  const Tensor logits = Logits(images, progress);
  if (logits.shape().rank() != 2) {
    throw InvalidArgument(name_, ": expected a network that gives one value a class, got outputs of ", logits.shape());
  }
  return LargestOfRows(*context_, logits);
}

Dataset OpenData(const Data& data, Split split, const Graph& graph) {
  const bool train = split == Split::kTrain;
  const std::optional<Dataset>& array = train ? data.train : data.test;
  const Dataset dataset =
      array ? *array : OpenDataset(data.folder, split, static_cast<int>(graph.shape(graph.output()).back()));
  std::string where = train ? "training data" : "test data";
  if (!array && data.folder.empty()) where += " (Fashion-MNIST, as no folder is given)";
  CheckDataset(where, graph, dataset);
  return dataset;
}

Config ConfigOf(const Checkpoint& checkpoint) {
  try {
    return ParseConfig(checkpoint.configuration, checkpoint.path + ": configuration");
  } catch (const Error& error) {
    throw DataLoss(error.what());
  }
}

void CheckWritable(const std::string& path) { AtomicFile probe(path); }

}  // namespace bitgate::jobs
