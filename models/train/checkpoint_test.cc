#include "models/train/checkpoint.h"

#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/train/test_run.h"
#include "runtime/tensor/safetensors.h"

namespace bitgate {
namespace {

using ::testing::HasSubstr;

// `action` throws Error of that code; returns its message.
template <class Action>
std::string Failure(absl::StatusCode code, const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  return "nothing thrown";
}

std::string ReadFailure(const std::string& path, absl::StatusCode code = absl::StatusCode::kDataLoss) {
  return Failure(code, [&] { ReadCheckpoint(path); });
}

TEST(CheckpointTest, RestoresTheNetwork) {
  const TestFolder folder;
  TrainOnce(folder.File(), 8);
  const Checkpoint checkpoint = ReadCheckpoint(folder.File());
  EXPECT_EQ(checkpoint.configuration, "batch_size: 16");
  ASSERT_TRUE(checkpoint.progress.has_value());
  EXPECT_EQ(checkpoint.progress->epoch, 1);
  EXPECT_EQ(checkpoint.progress->batch, 3);
  EXPECT_EQ(checkpoint.network_tensors.count("conv1/weight"), 1u);
  EXPECT_EQ(checkpoint.optimizer_tensors.count("optimizer/conv1/weight/first_moment"), 1u);

  TestNetwork test(3, GraphOf(checkpoint));
  LoadNetwork(test.network, checkpoint);
  const Checkpoint again = CaptureNetwork(test.network, "");
  EXPECT_EQ(again.network_state, checkpoint.network_state);
  ASSERT_EQ(again.network_tensors.size(), checkpoint.network_tensors.size());
  for (const auto& [name, tensor] : again.network_tensors) {
    const Tensor& expected = checkpoint.network_tensors.at(name);
    ASSERT_EQ(tensor.shape(), expected.shape()) << name;
    for (int64_t i = 0; i < tensor.size(); ++i) {
      ASSERT_EQ(tensor.data<float>()[i], expected.data<float>()[i]) << name << " " << i;
    }
  }
}

TEST(CheckpointTest, AnotherNetworksIsRefusedNamingTheDifference) {
  const TestFolder folder;
  TestNetwork other(1, TestGraph(/*channels=*/5));
  WriteCheckpoint(folder.File(), CaptureNetwork(other.network, ""));
  TestNetwork test;
  const std::string message =
      Failure(absl::StatusCode::kFailedPrecondition, [&] { LoadNetwork(test.network, ReadCheckpoint(folder.File())); });
  EXPECT_THAT(message, HasSubstr(folder.File() + ": expected a checkpoint of network 'tiny'"));
  EXPECT_THAT(message, HasSubstr("expected `channels: 4`, got `channels: 5`"));
}

TEST(CheckpointTest, AnotherMethodsIsRefused) {
  const TestFolder folder;
  TestNetwork other(1, TestGraph(), TestQuantizer("float"));
  WriteCheckpoint(folder.File(), CaptureNetwork(other.network, ""));
  TestNetwork test;
  try {
    LoadNetwork(test.network, ReadCheckpoint(folder.File()));
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr(folder.File() + ": "));
  }
}

TEST(CheckpointTest, CutShortAnywhereIsDataLoss) {
  const TestFolder folder;
  TestNetwork test;
  WriteCheckpoint(folder.File(), CaptureNetwork(test.network, ""));
  const std::string whole = ReadFile(folder.File());
  for (const size_t size : {size_t{0}, size_t{5}, size_t{8}, size_t{100}, whole.size() / 2, whole.size() - 1}) {
    WriteFileAtomically(folder.File("cut.safetensors"), whole.substr(0, size));
    EXPECT_THAT(ReadFailure(folder.File("cut.safetensors")), HasSubstr("cut.safetensors")) << size;
  }
}

// A file of one tensor and this metadata.
void WriteFile(const std::string& path, const std::string& dtype, const std::map<std::string, std::string>& metadata) {
  const float values[2] = {1, 2};
  const SafetensorsEntry entry{dtype, {2}, reinterpret_cast<const std::byte*>(values), sizeof values};
  WriteSafetensors(path, {{"conv1/weight", entry}}, metadata);
}

TEST(CheckpointTest, WhatIsNoCheckpointIsRefused) {
  const TestFolder folder;
  const std::string path = folder.File();
  EXPECT_THAT(ReadFailure(path, absl::StatusCode::kNotFound), HasSubstr(path));

  std::map<std::string, std::string> metadata = {{"format", "pt"}};
  WriteFile(path, "F32", {});
  EXPECT_THAT(ReadFailure(path), HasSubstr("'format' in its metadata, got none"));
  WriteFile(path, "F32", metadata);
  EXPECT_THAT(ReadFailure(path), HasSubstr("expected a checkpoint of format 'bitgate'"));
  metadata = {{"format", "bitgate"}, {"format_version", "2"}};
  WriteFile(path, "F32", metadata);
  EXPECT_THAT(ReadFailure(path, absl::StatusCode::kFailedPrecondition), HasSubstr("format version 1, got version 2"));
  metadata["format_version"] = "1";
  metadata["configuration"] = metadata["network_state"] = "";
  WriteFile(path, "F32", metadata);
  EXPECT_THAT(ReadFailure(path), HasSubstr("'graph'"));
  metadata["graph"] = "name: ";
  WriteFile(path, "F32", metadata);
  EXPECT_THAT(ReadFailure(path), HasSubstr(path + ": graph:"));
  metadata["graph"] = TestGraph().ToText();
  WriteFile(path, "I32", metadata);
  EXPECT_THAT(ReadFailure(path), HasSubstr("tensor 'conv1/weight': expected dtype F32, got I32"));
  metadata["progress"] = "{}";
  WriteFile(path, "F32", metadata);
  EXPECT_THAT(ReadFailure(path), HasSubstr("progress: expected the field 'phase'"));
}

TEST(CheckpointTest, ValuesThatAreNotFiniteAreNotSaved) {
  const TestFolder folder;
  TestNetwork test;
  Checkpoint checkpoint = CaptureNetwork(test.network, "");
  checkpoint.network_tensors.at("conv1/weight").data<float>()[3] = INFINITY;
  EXPECT_THAT(Failure(absl::StatusCode::kFailedPrecondition, [&] { WriteCheckpoint(folder.File(), checkpoint); }),
              HasSubstr("expected finite values, got inf in conv1/weight"));
  EXPECT_FALSE(FileExists(folder.File()));
}

TEST(CheckpointTest, PathsBesideTheOutput) {
  EXPECT_EQ(BestPath("a/run.safetensors"), "a/run.best.safetensors");
  EXPECT_EQ(LogPath("a/run.safetensors"), "a/run.log.jsonl");
  EXPECT_EQ(BestPath("run.v2"), "run.v2.best.safetensors");
}

}  // namespace
}  // namespace bitgate
