#include "models/jobs/weights.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/graph/builder.h"
#include "models/jobs/model.h"
#include "runtime/base/error.h"
#include "runtime/base/rng.h"
#include "runtime/device/test_context.h"
#include "runtime/tensor/copy.h"
#include "runtime/tensor/safetensors.h"

namespace bitgate::jobs {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Arrays = std::map<std::string, std::pair<std::vector<int64_t>, std::vector<float>>>;

QuantizerConfig Quantizer(const std::string& method) {
  QuantizerConfig config;
  config.set_method(method);
  return config;
}

// A convolution with groups and one without, a linear layer behind a flattened image, one that is not, one left float.
Graph MakeGraph() {
  GraphBuilder b("loaded");
  std::string x = b.Input({5, 6, 2});
  x = b.Node("stem.conv", "conv2d", {x}, {{"channels", 4}, {"kernel", 3}, {"bias", false}});
  x = b.Node("relu0", "relu", {x});
  x = b.Node("layer1.0.conv", "conv2d", {x}, {{"channels", 6}, {"kernel", 2}, {"groups", 2}});
  x = b.Node("flat", "flatten", {x});
  x = b.Node("relu1", "relu", {x});
  x = b.Node("fc1", "linear", {x}, {{"channels", 5}});
  x = b.Node("relu2", "relu", {x});
  b.Node("fc2", "linear", {x}, {{"channels", 3}});
  b.weight().set_leave_float(true);
  return b.Build();
}

Graph NormalisedGraph() {
  GraphBuilder b("normalised");
  std::string x = b.Input({5, 6, 2});
  x = b.Node("conv", "conv2d", {x}, {{"channels", 4}, {"kernel", 3}, {"bias", false}});
  x = b.Node("bn", "batch_norm", {x});
  x = b.Node("relu", "relu", {x});
  x = b.Node("flat", "flatten", {x});
  b.Node("fc", "linear", {x}, {{"channels", 3}});
  return b.Build();
}

const std::vector<std::pair<std::string, std::vector<int64_t>>>& FileShapes() {
  static const auto* shapes =
      new std::vector<std::pair<std::string, std::vector<int64_t>>>{{"stem.conv.weight", {4, 2, 3, 3}},
                                                                    {"layer1.0.conv.weight", {6, 2, 2, 2}},
                                                                    {"layer1.0.conv.bias", {6}},
                                                                    {"fc1.weight", {5, 36}},
                                                                    {"fc1.bias", {5}},
                                                                    {"fc2.weight", {3, 5}},
                                                                    {"fc2.bias", {3}}};
  return *shapes;
}

std::vector<float> RandomValues(int64_t count, uint64_t seed) {
  std::vector<float> values(count);
  for (int64_t i = 0; i < count; ++i) values[i] = 2 * Uniform({seed, 1, 0}, i) - 1;
  return values;
}

Arrays MakeArrays() {
  Arrays arrays;
  uint64_t seed = 1;
  for (const auto& [name, shape] : FileShapes()) {
    arrays[name] = {shape, RandomValues(Shape(shape).size(), seed++)};
  }
  return arrays;
}

// ---- the network as PyTorch computes it, written out: images [channels, height, width] ----

struct Image {
  int64_t channels, height, width;
  std::vector<float> values;
  float at(int64_t c, int64_t y, int64_t x) const { return values[(c * height + y) * width + x]; }
};

Image Convolved(const Image& image, const Arrays& arrays, const std::string& name, int64_t groups) {
  const auto& [shape, weight] = arrays.at(name + ".weight");
  const int64_t out = shape[0], in = shape[1], kernel = shape[2];
  Image result{out, image.height - kernel + 1, image.width - kernel + 1, {}};
  for (int64_t o = 0; o < out; ++o) {
    const int64_t first = o / (out / groups) * in;
    for (int64_t y = 0; y < result.height; ++y) {
      for (int64_t x = 0; x < result.width; ++x) {
        float sum = arrays.count(name + ".bias") ? arrays.at(name + ".bias").second[o] : 0;
        for (int64_t i = 0; i < in; ++i) {
          for (int64_t ky = 0; ky < kernel; ++ky) {
            for (int64_t kx = 0; kx < kernel; ++kx) {
              sum += weight[((o * in + i) * kernel + ky) * kernel + kx] * image.at(first + i, y + ky, x + kx);
            }
          }
        }
        result.values.push_back(sum);
      }
    }
  }
  return result;
}

std::vector<float> Linear(const std::vector<float>& values, const Arrays& arrays, const std::string& name) {
  std::vector<float> result = arrays.at(name + ".bias").second;
  for (size_t o = 0; o < result.size(); ++o) {
    for (size_t i = 0; i < values.size(); ++i) {
      result[o] += arrays.at(name + ".weight").second[o * values.size() + i] * values[i];
    }
  }
  return result;
}

void Relu(std::vector<float>* values) {
  for (float& value : *values) value = std::max(value, 0.0f);
}

Image FromNhwc(const std::vector<float>& nhwc) {
  Image image{2, 5, 6, {}};
  for (int64_t c = 0; c < 2; ++c) {
    for (int64_t i = 0; i < 30; ++i) image.values.push_back(nhwc[i * 2 + c]);
  }
  return image;
}

std::vector<float> ReferenceLogits(const std::vector<float>& nhwc, const Arrays& arrays) {
  Image image = Convolved(FromNhwc(nhwc), arrays, "stem.conv", 1);
  Relu(&image.values);
  image = Convolved(image, arrays, "layer1.0.conv", 2);
  Relu(&image.values);
  std::vector<float> values = Linear(image.values, arrays, "fc1");
  Relu(&values);
  return Linear(values, arrays, "fc2");
}

class WeightsTest : public ::testing::Test {
 protected:
  void Write(const Arrays& arrays, const std::map<std::string, std::string>& metadata = {}) const {
    std::map<std::string, SafetensorsEntry> entries;
    for (const auto& [name, array] : arrays) {
      entries[name] = {"F32", array.first, reinterpret_cast<const std::byte*>(array.second.data()),
                       array.second.size() * sizeof(float)};
    }
    WriteSafetensors(path_, entries, metadata);
  }

  Arrays Read() const {
    const SafetensorsFile file = SafetensorsFile::Open(path_);
    Arrays arrays;
    for (const std::string& name : file.names()) {
      const SafetensorsEntry entry = file.Entry(name);
      EXPECT_EQ(entry.dtype, "F32");
      std::vector<float> values(entry.bytes / sizeof(float));
      std::memcpy(values.data(), entry.data, entry.bytes);
      arrays[name] = {entry.shape, values};
    }
    return arrays;
  }

  std::vector<float> Logits(Network& network) {
    return ToHost<float>(context_, network.Forward(FromHost(context_, images_, {3, 5, 6, 2}), Mode::kTrain).logits);
  }

  // What loading the file throws; the network is as it was then.
  std::string Refused(absl::StatusCode code) {
    Network network(context_, graph_, Quantizer("float"), 7);
    const std::vector<float> before = Logits(network);
    try {
      LoadFloatWeights(network, path_);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code) << error.what();
      EXPECT_EQ(Logits(network), before);
      return error.what();
    }
    return "nothing was thrown";
  }

  bitgate::testing::TestContext context_;
  const Graph graph_ = MakeGraph();
  const Arrays arrays_ = MakeArrays();
  const std::vector<float> images_ = RandomValues(3 * 60, 99);
  const std::string path_ = std::string(std::getenv("TEST_TMPDIR") ? std::getenv("TEST_TMPDIR") : "/tmp") + "/" +
                            ::testing::UnitTest::GetInstance()->current_test_info()->name() + ".safetensors";
};

TEST_F(WeightsTest, ComputesWhatPyTorchComputes) {
  Write(arrays_, {{"format", "pt"}});
  Network network(context_, graph_, Quantizer("float"), 1);
  LoadFloatWeights(network, path_);
  const std::vector<float> logits = Logits(network);
  for (int64_t n = 0; n < 3; ++n) {
    const std::vector<float> expected =
        ReferenceLogits({images_.begin() + 60 * n, images_.begin() + 60 * (n + 1)}, arrays_);
    // Sums of at most 36 products below 10, in another order.
    for (int64_t i = 0; i < 3; ++i) EXPECT_NEAR(logits[3 * n + i], expected[i], 36 * 10 * 1.2e-7);
  }
}

TEST_F(WeightsTest, TellsWhatBecameOfEachTensor) {
  Write(arrays_);
  Network network(context_, graph_, Quantizer("float"), 1);
  std::vector<std::string> lines;
  for (const LoadedWeight& loaded : LoadFloatWeights(network, path_)) {
    lines.push_back(loaded.parameter + " " + loaded.tensor + " " + DimsText(loaded.shape) + " " + loaded.reorder);
  }
  EXPECT_THAT(lines,
              ElementsAre("stem.conv/weight stem.conv.weight [4, 2, 3, 3] OIHW to OHWI",
                          "layer1.0.conv/weight layer1.0.conv.weight [6, 2, 2, 2] OIHW to OHWI",
                          "layer1.0.conv/bias layer1.0.conv.bias [6] ", "fc1/weight fc1.weight [5, 36] CHW to HWC",
                          "fc1/bias fc1.bias [5] ", "fc2/weight fc2.weight [3, 5] ", "fc2/bias fc2.bias [3] "));
}

TEST_F(WeightsTest, WritesWhatItReads) {
  for (const std::string method : {"float", "bayesian_bits"}) {
    Write(arrays_);
    Network network(context_, graph_, Quantizer(method), 1), twin(context_, graph_, Quantizer(method), 2);
    LoadFloatWeights(network, path_);
    WriteFloatWeights(network, path_);
    EXPECT_EQ(Read(), arrays_);
    EXPECT_EQ(SafetensorsFile::Open(path_).metadata().at("format"), "pt");
    LoadFloatWeights(twin, path_);
    EXPECT_EQ(Logits(twin), Logits(network));
  }
}

TEST_F(WeightsTest, TheMethodInitialisesItsRanges) {
  Write(arrays_);
  Network network(context_, graph_, Quantizer("bayesian_bits"), 1);
  LoadFloatWeights(network, path_);
  for (const std::string name : {"stem.conv", "fc1"}) {
    const std::vector<float>& weight = arrays_.at(name + ".weight").second;
    EXPECT_EQ(ToHost<float>(context_, network.StateTensors().at(name + "/weight/range")),
              (std::vector<float>{*std::max_element(weight.begin(), weight.end())}));
  }
}

TEST_F(WeightsTest, WritesAFrozenNetworkButLoadsNone) {
  Write(arrays_);
  Network network(context_, graph_, Quantizer("bayesian_bits"), 1);
  LoadFloatWeights(network, path_);
  Logits(network);  // initialises the activations' ranges
  network.Freeze();
  WriteFloatWeights(network, path_);
  EXPECT_EQ(Read(), arrays_);
  try {
    LoadFloatWeights(network, path_);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(error.what(), HasSubstr("expected a network that is not frozen"));
  }
}

TEST_F(WeightsTest, ListsAllThatDoesNotFit) {
  Arrays arrays = arrays_;
  arrays.erase("fc2.bias");
  arrays["layer1.0.conv.weight"] = {{6, 2, 2, 3}, std::vector<float>(72)};
  arrays["stem.conv.weight"].first = {4, 3, 3, 2};  // as the network has it
  arrays["stem.conv.bias"] = {{4}, std::vector<float>(4)};
  arrays["stem.bn.num_batches_tracked"] = {{}, {1}};
  Write(arrays);
  EXPECT_EQ(Refused(absl::StatusCode::kFailedPrecondition),
            path_ +
                ": expected the float weights of network 'loaded' and nothing else, got others; missing: fc2.bias [3]; "
                "of another shape or type: stem.conv.weight F32 [4, 3, 3, 2] instead of F32 [4, 2, 3, 3], "
                "layer1.0.conv.weight F32 [6, 2, 2, 3] instead of F32 [6, 2, 2, 2]; unknown: stem.conv.bias");
  for (int i = 0; i < 30; ++i) arrays["extra" + std::to_string(100 + i)] = {{1}, {0}};
  Write(arrays);
  EXPECT_THAT(Refused(absl::StatusCode::kFailedPrecondition), HasSubstr("extra119 and 11 more"));
}

TEST_F(WeightsTest, PassesOverBatchCounters) {
  Arrays arrays = arrays_;
  arrays["stem.conv.num_batches_tracked"] = {{}, {1}};
  Write(arrays);
  EXPECT_EQ(Refused(absl::StatusCode::kOk), "nothing was thrown");
}

TEST_F(WeightsTest, RefusesOtherTypes) {
  const std::vector<double> doubles(5);
  std::map<std::string, SafetensorsEntry> entries = {
      {"fc1.bias", {"F64", {5}, reinterpret_cast<const std::byte*>(doubles.data()), 40}}};
  WriteSafetensors(path_, entries, {});
  EXPECT_THAT(Refused(absl::StatusCode::kFailedPrecondition), HasSubstr("fc1.bias F64 [5] instead of F32 [5]"));
}

TEST_F(WeightsTest, ListsWhatIsNotFinite) {
  Arrays arrays = arrays_;
  arrays["fc1.weight"].second[7] = std::numeric_limits<float>::quiet_NaN();
  arrays["fc2.bias"].second[0] = std::numeric_limits<float>::infinity();
  Write(arrays);
  EXPECT_EQ(Refused(absl::StatusCode::kDataLoss), path_ + ": expected finite values; not finite: fc1.weight, fc2.bias");
}

TEST_F(WeightsTest, NamesMayAllHaveAPrefix) {
  Arrays arrays;
  for (const auto& [name, array] : arrays_) arrays["module." + name] = array;
  Write(arrays);
  Network network(context_, graph_, Quantizer("float"), 1);
  EXPECT_EQ(LoadFloatWeights(network, path_)[0].tensor, "module.stem.conv.weight");
  WriteFloatWeights(network, path_);
  EXPECT_EQ(Read(), arrays_);
  arrays["stray"] = {{1}, {0}};
  Write(arrays);
  EXPECT_THAT(Refused(absl::StatusCode::kFailedPrecondition), HasSubstr("unknown: module.fc1.bias, module.fc1.weight"));
}

TEST_F(WeightsTest, TablesAreToBeRead) {
  EXPECT_EQ(
      FormatTable({{"conv/weight", "conv.weight", {4, 2, 3, 3}, "OIHW to OHWI"}, {"fc/bias", "fc.bias", {5}, ""}}),
      "parameter    tensor       shape         reordered\n"
      "conv/weight  conv.weight  [4, 2, 3, 3]  OIHW to OHWI\n"
      "fc/bias      fc.bias      [5]\n");
}

TEST_F(WeightsTest, TakesThoseOfACheckpointThatIsNotFrozen) {
  Write(arrays_);
  Config config;
  *config.mutable_network()->mutable_graph() = graph_.proto();
  *config.mutable_quantizer() = Quantizer("bayesian_bits");
  Model model(config, Machine());
  LoadFloatWeights(model.network(), path_);
  const std::string checkpoint = path_ + ".checkpoint";
  model.Save(checkpoint);
  Network network(context_, graph_, Quantizer("float"), 1);
  const std::vector<LoadedWeight> loaded = LoadFloatWeights(network, checkpoint);
  EXPECT_EQ(loaded[0].parameter + " " + loaded[0].tensor + " " + DimsText(loaded[0].shape) + loaded[0].reorder,
            "stem.conv/weight stem.conv/weight [4, 3, 3, 2]");
  WriteFloatWeights(network, path_);
  EXPECT_EQ(Read(), arrays_);

  const Shape batch({3, 5, 6, 2});
  model.network().Forward(FromHost(model.context(), images_, batch), Mode::kTrain);  // initialises ranges
  model.Freeze();
  model.Save(path_);
  EXPECT_THAT(Refused(absl::StatusCode::kFailedPrecondition),
              HasSubstr("a checkpoint that is not frozen, got a frozen"));
  *config.mutable_network()->mutable_graph() = NormalisedGraph().proto();
  Model(config, Machine()).Save(path_);
  EXPECT_THAT(Refused(absl::StatusCode::kFailedPrecondition), AllOf(HasSubstr("missing: stem.conv.weight [4, 2, 3, 3]"),
                                                                    HasSubstr("unknown: bn/beta, bn/running_mean")));
  std::vector<std::byte> bytes(64);
  WriteSafetensors(path_, {{"x", {"U8", {64}, bytes.data(), bytes.size()}}}, {{"format", "bitgate"}});
  EXPECT_THAT(Refused(absl::StatusCode::kDataLoss), HasSubstr("expected a checkpoint with 'format_version'"));
}

// ---- batch norms ----

Arrays NormalisedArrays() {
  Arrays arrays = {{"conv.weight", {{4, 2, 3, 3}, RandomValues(72, 1)}},
                   {"bn.weight", {{4}, {0.5f, 2, -1, 0.25f}}},
                   {"bn.bias", {{4}, {0.1f, -0.2f, 0.3f, 0}}},
                   {"bn.running_mean", {{4}, {1, -1, 0.5f, 0}}},
                   {"bn.running_var", {{4}, {0.25f, 4, 1, 0}}},
                   {"fc.weight", {{3, 48}, RandomValues(144, 2)}},
                   {"fc.bias", {{3}, RandomValues(3, 3)}}};
  return arrays;
}

constexpr double kEpsilon = 1e-5;

TEST_F(WeightsTest, BatchNormsComputeWhatPyTorchComputes) {
  const Arrays arrays = NormalisedArrays();
  Write(arrays);
  Network network(context_, NormalisedGraph(), Quantizer("float"), 1);
  LoadFloatWeights(network, path_);
  const Tensor images = FromHost(context_, images_, {3, 5, 6, 2});
  const std::vector<float> logits = ToHost<float>(context_, network.Forward(images, Mode::kEvaluate).logits);
  for (int64_t n = 0; n < 3; ++n) {
    Image image = Convolved(FromNhwc({images_.begin() + 60 * n, images_.begin() + 60 * (n + 1)}), arrays, "conv", 1);
    for (size_t i = 0; i < image.values.size(); ++i) {
      const auto of = [&](const std::string& name) { return arrays.at("bn." + name).second[i / 12]; };
      image.values[i] =
          (image.values[i] - of("running_mean")) / std::sqrt(of("running_var") + kEpsilon) * of("weight") + of("bias");
    }
    Relu(&image.values);
    const std::vector<float> expected = Linear(image.values, arrays, "fc");
    // The last channel's gain is 79: sums of 18 and 48 products, in another order.
    for (int64_t i = 0; i < 3; ++i) EXPECT_NEAR(logits[3 * n + i], expected[i], 48 * 18 * 79 * 1.2e-7);
  }
}

TEST_F(WeightsTest, BatchNormsAreWrittenAsTheyAreRead) {
  const Arrays arrays = NormalisedArrays();
  Arrays counted = arrays;
  counted["bn.num_batches_tracked"] = {{}, {1}};
  for (const std::string method : {"float", "bayesian_bits"}) {
    Write(counted);
    Network network(context_, NormalisedGraph(), Quantizer(method), 1);
    LoadFloatWeights(network, path_);
    WriteFloatWeights(network, path_);
    EXPECT_EQ(Read(), arrays);
  }
}

// The weight's range is that of the weight with the gain in it.
TEST_F(WeightsTest, RangesKnowTheBatchNorm) {
  const Arrays arrays = NormalisedArrays();
  Write(arrays);
  Network network(context_, NormalisedGraph(), Quantizer("bayesian_bits"), 1);
  LoadFloatWeights(network, path_);
  double largest = 0;
  for (int64_t i = 0; i < 72; ++i) {
    const double sigma = std::sqrt(arrays.at("bn.running_var").second[i / 18] + kEpsilon);
    largest = std::max(largest, arrays.at("conv.weight").second[i] * arrays.at("bn.weight").second[i / 18] / sigma);
  }
  EXPECT_NEAR(ToHost<float>(context_, network.StateTensors().at("conv/weight/range"))[0], largest, 1e-5 * largest);
}

TEST_F(WeightsTest, VariancesAreNotNegative) {
  Arrays arrays = NormalisedArrays();
  arrays["bn.running_var"].second[2] = -0.5f;
  Write(arrays);
  Network network(context_, NormalisedGraph(), Quantizer("float"), 1);
  const auto refused = [&]() -> std::string {
    try {
      LoadFloatWeights(network, path_);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), absl::StatusCode::kDataLoss);
      return error.what();
    }
    return "nothing was thrown";
  };
  const std::string kExpected = path_ + ": expected finite values and variances of at least 0; ";
  EXPECT_EQ(refused(), kExpected + "variances below 0: bn.running_var");
  arrays["bn.bias"].second[0] = std::numeric_limits<float>::infinity();
  Write(arrays);
  EXPECT_EQ(refused(), kExpected + "not finite: bn.bias; variances below 0: bn.running_var");
}

// Whose channels the zeros stand between, nobody's file tells.
TEST_F(WeightsTest, ChannelsAddedToAFlattenedImage) {
  const auto reorder_of = [&](bool weight_between) -> std::string {
    GraphBuilder b("padded");
    std::string x = b.Input({2, 2, 3});
    x = b.Node("flat", "flatten", {x});
    if (weight_between) x = b.Node("fc0", "linear", {x}, {{"channels", 12}});
    x = b.Node("pad", "pad_channels", {x}, {{"channels", 14}});
    x = b.Node("relu", "relu", {x});
    b.Node("fc", "linear", {x}, {{"channels", 2}});
    Network network(context_, b.Build(), Quantizer("float"), 1);
    try {
      WriteFloatWeights(network, path_);
      return LoadFloatWeights(network, path_)[2].reorder;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), absl::StatusCode::kInvalidArgument);
      return error.what();
    }
  };
  EXPECT_EQ(reorder_of(true), "");
  EXPECT_EQ(reorder_of(false),
            "float weights: expected an image made flat to keep its 12 features, got node pad that makes 14 of them");
}

// Where the orders of features agree, or cannot be told from each other, nothing moves.
TEST_F(WeightsTest, SumsBehindAFlattenedImage) {
  const auto reorder_of = [&](bool flatten_both) -> std::string {
    GraphBuilder b("sums");
    std::string x = b.Input({2, 2, 3});
    const std::string flat = b.Node("flat", "flatten", {x});
    std::string other = b.Node("relu", "relu", {flat});
    if (!flatten_both) other = b.Node("fc0", "linear", {other}, {{"channels", 12}});
    x = b.Node("sum", "add", {flat, other});
    b.Node("fc", "linear", {x}, {{"channels", 2}});
    Network network(context_, b.Build(), Quantizer("float"), 1);
    try {
      WriteFloatWeights(network, path_);
      return LoadFloatWeights(network, path_)[0].reorder;
    } catch (const Error& error) {
      return error.what();
    }
  };
  EXPECT_EQ(reorder_of(true), "CHW to HWC");
  EXPECT_EQ(reorder_of(false),
            "float weights: expected sums of features in the same order, got node sum that adds an image made flat to "
            "other features");
}

}  // namespace
}  // namespace bitgate::jobs
