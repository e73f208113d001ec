#include "models/train/feeder.h"

#include <functional>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "models/data/loader.h"
#include "models/graph/builder.h"
#include "runtime/base/error.h"
#include "runtime/base/rng.h"
#include "runtime/device/test_context.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

constexpr int64_t kImages = 23;
constexpr ImageShape kImage = {4, 3, 3};
constexpr int64_t kStreamed = 0;  // a limit that no set keeps to

Graph MakeGraph(const Preprocessing& preprocessing, const Dims& input = {4, 3, 3}) {
  GraphBuilder b("fed");
  std::string x = b.Input(input, preprocessing);
  if (input.size() == 3) x = b.Node("flatten", "flatten", {x});
  b.Node("fc", "linear", {x}, {{"channels", 5}});
  return b.Build();
}

template <class Raw>
Dataset MakeData(int64_t images = kImages, uint64_t seed = 1) {
  std::vector<Raw> pixels(images * kImage.elements());
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<Raw>(256 * Uniform(RandomKey{seed, 1, 0}, i));
  std::vector<int32_t> labels(images);
  for (int64_t i = 0; i < images; ++i) labels[i] = static_cast<int32_t>(i);
  return Dataset::FromArrays(kImage, std::move(pixels), std::move(labels));
}

LoaderOptions Loading(int64_t batch_size, bool shuffle = true, bool drop_last = false) {
  LoaderOptions options;
  options.batch_size = batch_size;
  options.shuffle = shuffle;
  options.drop_last = drop_last;
  options.seed = 3;
  return options;
}

std::vector<double> Values(size_t count, double first) {
  std::vector<double> values;
  for (size_t i = 0; i < count; ++i) values.push_back(first + 0.013 * static_cast<double>(i));
  return values;
}

struct Expected {
  std::vector<float> images;
  std::vector<int32_t> labels;
};

std::vector<Expected> LoaderBatches(const Graph& graph, const Dataset& dataset, const LoaderOptions& options,
                                    int64_t epoch, int64_t first_batch) {
  Loader loader(dataset, PreprocessingOf(graph), options);
  loader.StartEpoch(epoch, first_batch);
  std::vector<Expected> batches;
  while (const Batch* batch = loader.Next()) {
    batches.push_back({{batch->images.begin(), batch->images.end()}, {batch->labels.begin(), batch->labels.end()}});
  }
  return batches;
}

using Copies = std::vector<std::pair<Tensor, Tensor>>;

// Copies of the batches left in the epoch, queued behind them and not waited for.
Copies CopyRest(Context& context, Feeder& feeder, const Graph& graph, int64_t first_batch) {
  Copies copies;
  while (const DeviceBatch* batch = feeder.Next()) {
    EXPECT_EQ(batch->index(), first_batch + static_cast<int64_t>(copies.size()));
    EXPECT_EQ(batch->size(), batch->images().shape()[0]);
    EXPECT_EQ(Dims(batch->images().shape().begin() + 1, batch->images().shape().end()), graph.input_shape());
    copies.emplace_back(Clone(context, batch->images()), Clone(context, batch->labels()));
  }
  EXPECT_EQ(feeder.Next(), nullptr);
  return copies;
}

void ExpectBatches(Context& context, const Copies& copies, const std::vector<Expected>& expected) {
  ASSERT_EQ(copies.size(), expected.size());
  for (size_t i = 0; i < copies.size(); ++i) {
    ASSERT_EQ(ToHost<float>(context, copies[i].first), expected[i].images) << "batch " << i;
    ASSERT_EQ(ToHost<int32_t>(context, copies[i].second), expected[i].labels) << "batch " << i;
  }
}

void ExpectEpoch(Context& context, Feeder& feeder, const Graph& graph, const Dataset& dataset,
                 const LoaderOptions& options, int64_t epoch, int64_t first_batch) {
  SCOPED_TRACE("epoch " + std::to_string(epoch));
  feeder.StartEpoch(epoch, first_batch);
  ExpectBatches(context, CopyRest(context, feeder, graph, first_batch),
                LoaderBatches(graph, dataset, options, epoch, first_batch));
}

void ExpectTheLoadersBatches(const Graph& graph, const Dataset& dataset, const LoaderOptions& options) {
  testing::TestContext context;
  const bool gpu = context.device().type != DeviceType::kCpu;
  for (const int64_t limit : {int64_t{-1}, kStreamed}) {
    Feeder feeder(context, graph, dataset, options, {limit});
    EXPECT_EQ(feeder.resident(), gpu && limit != kStreamed);
    EXPECT_EQ(feeder.size(), dataset.size());
    for (const auto& [epoch, first_batch] : {std::pair<int64_t, int64_t>{0, 0}, {1, 0}, {7, 2}, {8, 0}}) {
      if (first_batch < feeder.batches_per_epoch()) {
        ExpectEpoch(context, feeder, graph, dataset, options, epoch, first_batch);
      }
    }
    ExpectEpoch(context, feeder, graph, dataset, options, 9, feeder.batches_per_epoch());
  }
}

TEST(FeederTest, GivesTheLoadersBatches) {
  const Dataset bytes = MakeData<uint8_t>(), floats = MakeData<float>();
  const std::vector<Graph> graphs = {
      MakeGraph(Scaled(1)),
      MakeGraph(Scaled(1.0 / 255)),
      MakeGraph(Normalized(1.0 / 255, {0.45}, {0.21})),
      MakeGraph(Normalized(1.0 / 255, Values(3, 0.4), Values(3, 0.2))),
      MakeGraph(Normalized(1.0 / 255, Values(36, 0.4), Values(36, 0.2)), {36}),
  };
  for (const Graph& graph : graphs) {
    for (const Dataset& dataset : {bytes, floats}) {
      for (const int64_t batch_size : {1, 5, 23, 100}) ExpectTheLoadersBatches(graph, dataset, Loading(batch_size));
    }
  }
}

TEST(FeederTest, InOrder) {
  ExpectTheLoadersBatches(MakeGraph(Scaled(1.0 / 255)), MakeData<uint8_t>(), Loading(5, /*shuffle=*/false));
}

TEST(FeederTest, WithoutASmallerLastBatch) {
  ExpectTheLoadersBatches(MakeGraph(Scaled(1.0 / 255)), MakeData<uint8_t>(), Loading(5, true, /*drop_last=*/true));
}

LoaderOptions Augmenting(int64_t pad, bool flip, int64_t batch_size = 5, bool shuffle = true) {
  LoaderOptions options = Loading(batch_size, shuffle);
  options.augmentation = {pad, flip};
  return options;
}

TEST(FeederTest, Augmented) {
  const std::vector<Graph> graphs = {
      MakeGraph(Normalized(1.0 / 255, Values(3, 0.4), Values(3, 0.2))),
      MakeGraph(Normalized(1.0 / 255, Values(36, 0.4), Values(36, 0.2)), {36}),
  };
  for (const Graph& graph : graphs) {
    for (const Dataset& dataset : {MakeData<uint8_t>(), MakeData<float>()}) {
      for (const LoaderOptions& options : {Augmenting(0, true), Augmenting(1, false), Augmenting(2, true),
                                           Augmenting(2, true, 100), Augmenting(2, true, 7, /*shuffle=*/false)}) {
        ExpectTheLoadersBatches(graph, dataset, options);
      }
    }
  }
}

// Every way there is on the device: what fits, and what does not.
class FeederWays : public ::testing::TestWithParam<int64_t> {
 protected:
  bool gpu() const { return context_.device().type != DeviceType::kCpu; }
  testing::TestContext context_;
  const Graph graph_ = MakeGraph(Scaled(1.0 / 255));
  const FeederOptions feeding_{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(Limits, FeederWays, ::testing::Values(-1, kStreamed));

TEST_P(FeederWays, ItsMemoryIsAlwaysTheSame) {
  Feeder feeder(context_, graph_, MakeData<uint8_t>(), Loading(5), feeding_);
  std::map<std::pair<int64_t, int>, std::set<std::pair<void*, void*>>> places;
  for (int64_t epoch = 0; epoch < 4; ++epoch) {
    feeder.StartEpoch(epoch);
    while (const DeviceBatch* batch = feeder.Next()) {
      places[{batch->size(), batch->buffer()}].insert({batch->images().raw_data(), batch->labels().raw_data()});
    }
  }
  if (!gpu()) return;                                     // the loader's ring
  EXPECT_EQ(places.size(), feeder.resident() ? 2u : 3u);  // batches of 5 in each buffer, and one of 3
  for (const auto& [key, addresses] : places) EXPECT_EQ(addresses.size(), 1u) << key.first << " in " << key.second;
}

TEST_P(FeederWays, AllocatesNothingOnceItIsMade) {
  const Dataset dataset = MakeData<uint8_t>();
  Feeder feeder(context_, graph_, dataset, Loading(5), feeding_);
  const PoolStatistics device = context_.pool()->statistics(), host = context_.backend().host_pool()->statistics();
  for (int64_t epoch = 0; epoch < 4; ++epoch) {
    feeder.StartEpoch(epoch);
    while (feeder.Next() != nullptr) {
    }
  }
  for (const auto& [before, after] : {std::make_pair(device, context_.pool()->statistics()),
                                      std::make_pair(host, context_.backend().host_pool()->statistics())}) {
    EXPECT_EQ(after.system_allocations, before.system_allocations);
    EXPECT_EQ(after.peak_in_use_bytes, before.in_use_bytes);
  }
}

TEST_P(FeederWays, GivesItsMemoryBack) {
  const int64_t before = context_.pool()->statistics().in_use_bytes;
  const int64_t host = context_.backend().host_pool()->statistics().in_use_bytes;
  for (int taken = 0; taken < 4; ++taken) {
    Feeder feeder(context_, graph_, MakeData<float>(), Loading(5), feeding_);
    feeder.StartEpoch(0);
    for (int i = 0; i < taken; ++i) feeder.Next();
  }
  EXPECT_EQ(context_.pool()->statistics().in_use_bytes, before);
  EXPECT_EQ(context_.backend().host_pool()->statistics().in_use_bytes, host);
}

TEST_P(FeederWays, RestartsInTheMiddleOfAnEpoch) {
  const Dataset dataset = MakeData<uint8_t>();
  Feeder feeder(context_, graph_, dataset, Loading(5), feeding_);
  for (int taken = 0; taken < 5; ++taken) {
    feeder.StartEpoch(40 + taken);
    for (int i = 0; i < taken; ++i) feeder.Next();
    for (int again = 0; again < 3; ++again) feeder.StartEpoch(50 + again);
    ExpectEpoch(context_, feeder, graph_, dataset, Loading(5), taken, 1);
  }
}

// Nothing is read on the host before the end: what comes before it is there, or goes before it has been read, shows.
TEST_P(FeederWays, EpochsFollowEachOtherWithoutWaiting) {
  std::vector<Copies> copies;
  for (const uint64_t seed : {1, 2, 3}) {  // the later ones in the memory of those before
    Feeder feeder(context_, graph_, MakeData<uint8_t>(kImages, seed), Loading(5), feeding_);
    for (int64_t epoch = 0; epoch < 5; ++epoch) {
      feeder.StartEpoch(epoch);
      copies.push_back(CopyRest(context_, feeder, graph_, 0));
    }
  }
  for (size_t i = 0; i < copies.size(); ++i) {
    SCOPED_TRACE("epoch " + std::to_string(i % 5) + " of feeder " + std::to_string(i / 5));
    const Dataset expected = MakeData<uint8_t>(kImages, 1 + i / 5);
    ExpectBatches(context_, copies[i], LoaderBatches(graph_, expected, Loading(5), static_cast<int64_t>(i % 5), 0));
  }
}

TEST_P(FeederWays, AResumedEpochHasTheSameAugmentedImages) {
  const Dataset dataset = MakeData<uint8_t>();
  const LoaderOptions options = Augmenting(2, true);
  Feeder feeder(context_, graph_, dataset, options, feeding_);
  feeder.StartEpoch(3);
  const Copies whole = CopyRest(context_, feeder, graph_, 0);
  for (int64_t first = 0; first < feeder.batches_per_epoch(); ++first) {
    Feeder resumed(context_, graph_, dataset, options, feeding_);
    resumed.StartEpoch(3, first);
    const Copies rest = CopyRest(context_, resumed, graph_, first);
    ASSERT_EQ(rest.size(), whole.size() - first);
    for (size_t i = 0; i < rest.size(); ++i) {
      EXPECT_EQ(ToHost<float>(context_, rest[i].first), ToHost<float>(context_, whole[first + i].first));
    }
  }
}

// As training and test images are; and one in memory that another has just left.
TEST_P(FeederWays, SeveralAtOnceAndOneAfterAnother) {
  const Dataset train = MakeData<uint8_t>(kImages, 5), test = MakeData<uint8_t>(kImages, 6);
  Feeder feeder(context_, graph_, train, Loading(5), feeding_);
  feeder.StartEpoch(1);
  const std::vector<Expected> expected = LoaderBatches(graph_, train, Loading(5), 1, 0);
  for (const Expected& batch : expected) {
    const DeviceBatch* fed = feeder.Next();
    ASSERT_NE(fed, nullptr);
    for (const int64_t limit : {int64_t{-1}, kStreamed}) {
      Feeder other(context_, graph_, test, Loading(4, false), {limit});
      ExpectEpoch(context_, other, graph_, test, Loading(4, false), 0, 0);
    }
    EXPECT_EQ(ToHost<float>(context_, fed->images()), batch.images);
    EXPECT_EQ(ToHost<int32_t>(context_, fed->labels()), batch.labels);
  }
}

TEST_P(FeederWays, RefusesWhatALoaderRefuses) {
  const auto message_of = [](const std::function<void()>& action) -> std::string {
    try {
      action();
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  const Dataset dataset = MakeData<uint8_t>();
  EXPECT_EQ(message_of([&] { Feeder(context_, graph_, dataset, Loading(0), feeding_); }),
            "loader: expected batch_size of at least 1, got 0");
  EXPECT_EQ(message_of([&] { Feeder(context_, graph_, dataset, Augmenting(3, true), feeding_); }),
            "augmentation: expected pad from 0 to 2 for images of 4x3x3, got 3");
  Feeder feeder(context_, graph_, dataset, Loading(5), feeding_);
  EXPECT_EQ(feeder.batches_per_epoch(), 5);
  EXPECT_EQ(message_of([&] { feeder.Next(); }), "loader: expected StartEpoch before Next");
  EXPECT_EQ(message_of([&] { feeder.StartEpoch(-1); }), "loader: expected an epoch of at least 0, got -1");
  EXPECT_EQ(message_of([&] { feeder.StartEpoch(0, 6); }), "loader: expected first_batch in [0, 5], got 6");
}

TEST(FeederTest, ASetStaysOnTheGpuUpToTheLimit) {
  testing::TestContext context;
  const Graph graph = MakeGraph(Scaled(1));
  const Dataset bytes = MakeData<uint8_t>(), floats = MakeData<float>();
  const bool gpu = context.device().type != DeviceType::kCpu;
  const int64_t labels = 4 * kImages, pixels = kImages * kImage.elements();
  for (const auto& [dataset, size] : {std::make_pair(bytes, pixels + labels), {floats, 4 * pixels + labels}}) {
    EXPECT_EQ(Feeder(context, graph, dataset, Loading(5), {size}).resident(), gpu);
    EXPECT_FALSE(Feeder(context, graph, dataset, Loading(5), {size - 1}).resident());
  }
}

}  // namespace
}  // namespace bitgate
