#include "models/data/loader.h"

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "runtime/base/error.h"

namespace bitgate {
namespace {

// `count` images of 2x1x1 whose pixels and label tell their number.
Dataset Numbered(int count) {
  std::vector<float> images;
  std::vector<int32_t> labels;
  for (int i = 0; i < count; ++i) {
    images.insert(images.end(), {i + 0.25f, i + 0.5f});
    labels.push_back(i);
  }
  return Dataset::FromArrays({2, 1, 1}, images, labels);
}

LoaderOptions Options(int64_t batch_size, bool shuffle, uint64_t seed = 1) {
  LoaderOptions options;
  options.batch_size = batch_size;
  options.shuffle = shuffle;
  options.seed = seed;
  return options;
}

// What is left of the epoch, as labels; checks that every image travels with its label.
std::vector<std::vector<int32_t>> Rest(Loader* loader) {
  std::vector<std::vector<int32_t>> batches;
  while (const Batch* batch = loader->Next()) {
    EXPECT_EQ(batch->size, static_cast<int64_t>(batch->labels.size()));
    EXPECT_EQ(batch->images.size(), batch->labels.size() * 2);
    for (size_t i = 0; i < batch->labels.size(); ++i) {
      EXPECT_EQ(batch->images[2 * i], batch->labels[i] + 0.25f);
      EXPECT_EQ(batch->images[2 * i + 1], batch->labels[i] + 0.5f);
    }
    batches.emplace_back(batch->labels.begin(), batch->labels.end());
  }
  return batches;
}

std::vector<std::vector<int32_t>> Epoch(Loader* loader, int64_t epoch, int64_t first_batch = 0) {
  loader->StartEpoch(epoch, first_batch);
  return Rest(loader);
}

std::string MessageOf(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(LoaderTest, GoesInOrderWithAPartialLastBatch) {
  Loader loader(Numbered(7), {}, Options(3, false));
  EXPECT_EQ(loader.batches_per_epoch(), 3);
  loader.StartEpoch(5);
  for (int i = 0; i < 3; ++i) {
    const Batch* batch = loader.Next();
    ASSERT_NE(batch, nullptr);
    EXPECT_EQ(batch->index, i);
    EXPECT_EQ(batch->epoch, 5);
    EXPECT_EQ(batch->size, i < 2 ? 3 : 1);
    EXPECT_EQ(batch->last, i == 2);
    EXPECT_EQ(batch->labels[0], 3 * i);
  }
  EXPECT_EQ(loader.Next(), nullptr);
  EXPECT_EQ(loader.Next(), nullptr);
  const std::vector<std::vector<int32_t>> expected = {{0, 1, 2}, {3, 4, 5}, {6}};
  EXPECT_EQ(Epoch(&loader, 6), expected);
}

TEST(LoaderTest, DropsTheLastPartialBatchOnRequest) {
  LoaderOptions options = Options(3, false);
  options.drop_last = true;
  Loader loader(Numbered(7), {}, options);
  const std::vector<std::vector<int32_t>> expected = {{0, 1, 2}, {3, 4, 5}};
  EXPECT_EQ(Epoch(&loader, 0), expected);
  loader.StartEpoch(1, 1);
  EXPECT_TRUE(loader.Next()->last);
}

TEST(LoaderTest, Preprocesses) {
  const Dataset dataset = Dataset::FromArrays({1, 2, 1}, std::vector<uint8_t>{0, 255, 51, 102}, {0, 1});
  Loader loader(dataset, {1.0 / 255, {0.5}, {0.5}}, Options(2, false));
  loader.StartEpoch(0);
  const HostArray<float>& images = loader.Next()->images;
  const std::vector<float> expected = {-1.0f, 1.0f, -0.6f, -0.2f};
  ASSERT_EQ(images.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(images[i], expected[i], 1e-6);
}

TEST(LoaderTest, ShufflesBySeedAndEpoch) {
  Loader loader(Numbered(50), {}, Options(8, true)), twin(Numbered(50), {}, Options(8, true)),
      other(Numbered(50), {}, Options(8, true, 2)), plain(Numbered(50), {}, Options(8, false));
  const auto first = Epoch(&loader, 0), second = Epoch(&loader, 1);
  EXPECT_NE(first, second);
  EXPECT_NE(first, Epoch(&plain, 0));
  EXPECT_NE(first, Epoch(&other, 0));
  EXPECT_EQ(second, Epoch(&twin, 1));
  EXPECT_EQ(first, Epoch(&twin, 0));
  std::set<int32_t> seen;
  for (const auto& batch : first) seen.insert(batch.begin(), batch.end());
  EXPECT_EQ(seen.size(), 50u);
}

TEST(LoaderTest, ResumesAtAnyBatch) {
  Loader loader(Numbered(50), {}, Options(8, true));
  const auto whole = Epoch(&loader, 3);
  for (int64_t first = 0; first <= loader.batches_per_epoch(); ++first) {
    Loader resumed(Numbered(50), {}, Options(8, true));
    EXPECT_EQ(Epoch(&resumed, 3, first), decltype(whole)(whole.begin() + first, whole.end()));
  }
}

TEST(LoaderTest, RestartsInTheMiddleOfAnEpoch) {
  Loader loader(Numbered(40), {}, Options(1, true));
  const auto whole = Epoch(&loader, 0);
  for (int taken = 0; taken < 12; ++taken) {
    loader.StartEpoch(1);
    for (int i = 0; i < taken; ++i) loader.Next();
    EXPECT_EQ(Epoch(&loader, 0), whole);
  }
}

TEST(LoaderTest, EndsInTheMiddleOfAnEpoch) {
  const Dataset dataset = Numbered(100);
  for (int taken = 0; taken < 20; ++taken) {
    Loader loader(dataset, {}, Options(2, true));
    loader.StartEpoch(0);
    for (int i = 0; i < taken; ++i) ASSERT_NE(loader.Next(), nullptr);
  }
}

TEST(LoaderTest, GivesTheSameBatchesForEveryPrefetch) {
  Loader reference(Numbered(33), {}, Options(4, true));
  const auto expected = Epoch(&reference, 0);
  for (int prefetch : {1, 3, 100}) {
    LoaderOptions options = Options(4, true);
    options.prefetch = prefetch;
    Loader loader(Numbered(33), {}, options);
    EXPECT_EQ(Epoch(&loader, 0), expected);
  }
}

TEST(LoaderTest, ReusesARingOfBatches) {
  Loader loader(Numbered(100), {}, Options(4, true));
  std::set<const float*> buffers;
  for (int64_t epoch = 0; epoch < 3; ++epoch) {
    loader.StartEpoch(epoch);
    while (const Batch* batch = loader.Next()) buffers.insert(batch->images.data());
  }
  EXPECT_EQ(buffers.size(), 3u);
}

TEST(LoaderTest, AllocatesAllAtOnceInTheMemoryItIsGiven) {
  const auto memory = std::make_shared<Pool>(HostMemory());
  {
    Loader loader(Numbered(10), {}, Options(100, true), memory);
    const PoolStatistics before = memory->statistics();
    EXPECT_EQ(before.system_allocations, 2);  // one slot: there is one batch
    EXPECT_EQ(before.in_use_bytes, static_cast<int64_t>(Pool::SizeClass(80) + Pool::SizeClass(40)));
    for (int64_t epoch = 0; epoch < 2; ++epoch) EXPECT_EQ(Epoch(&loader, epoch).size(), 1u);
    EXPECT_EQ(memory->statistics().system_allocations, 2);
  }
  EXPECT_EQ(memory->statistics().in_use_bytes, 0);
}

TEST(LoaderTest, KeepsABatchUntouchedUntilTheNextCall) {
  Loader loader(Numbered(1000), {}, Options(1, false));
  loader.StartEpoch(0);
  for (int i = 0; i < 1000; ++i) {
    const Batch* batch = loader.Next();
    std::this_thread::yield();
    ASSERT_EQ(batch->labels[0], i);
    ASSERT_EQ(batch->images[1], i + 0.5f);
  }
}

// Ten images, of which number 7 cannot be read.
class BrokenSource : public Source {
 public:
  int64_t size() const override { return 10; }
  ImageShape image_shape() const override { return {1, 1, 1}; }
  int32_t Read(int64_t index, int64_t epoch, float* image) const override {
    if (index == 7) throw DataLoss("broken: expected image 7 of epoch ", epoch, ", got none");
    *image = 0;
    return static_cast<int32_t>(index);
  }
};

TEST(LoaderTest, ThrowsWhatTheSourceThrewAfterTheBatchesBefore) {
  Loader loader(std::make_unique<BrokenSource>(), Options(2, false));
  for (int64_t epoch : {0, 1}) {
    loader.StartEpoch(epoch);
    for (int i = 0; i < 3; ++i) ASSERT_EQ(loader.Next()->index, i);
    const std::string message = "broken: expected image 7 of epoch " + std::to_string(epoch) + ", got none";
    EXPECT_EQ(MessageOf([&] { loader.Next(); }), message);
    EXPECT_EQ(MessageOf([&] { loader.Next(); }), message);
  }
  EXPECT_EQ(MessageOf([&] { loader.StartEpoch(2, 4), loader.Next(); }), "no error");
}

TEST(LoaderTest, RejectsBadArguments) {
  EXPECT_EQ(MessageOf([] { Loader(Numbered(3), {}, Options(0, false)); }),
            "loader: expected batch_size of at least 1, got 0");
  LoaderOptions options = Options(4, false);
  options.prefetch = 0;
  EXPECT_EQ(MessageOf([&] { Loader(Numbered(3), {}, options); }), "loader: expected prefetch of at least 1, got 0");
  options.prefetch = 1;
  options.drop_last = true;
  EXPECT_EQ(MessageOf([&] { Loader(Numbered(3), {}, options); }),
            "loader: expected at least one whole batch of 4 images (the smaller last one is dropped), got 3 images");
  Loader loader(Numbered(3), {}, Options(2, false));
  EXPECT_EQ(MessageOf([&] { loader.Next(); }), "loader: expected StartEpoch before Next");
  EXPECT_EQ(MessageOf([&] { loader.StartEpoch(0, 3); }), "loader: expected first_batch in [0, 2], got 3");
  EXPECT_EQ(MessageOf([&] { loader.StartEpoch(-1); }), "loader: expected an epoch of at least 0, got -1");
}

}  // namespace
}  // namespace bitgate
