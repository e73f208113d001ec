// Checkpoints: a network, and where its training stands, in one safetensors file that any tool can open.
//
// Tensors: Network::StateTensors and Optimizers::StateTensors by their names, float32. Metadata: "format" ("bitgate"),
// "format_version", "configuration", "graph" (text format), "network_state", and "progress" and "data" unless training
// has no part in the file. The same state gives the same bytes: no time, path or fact about the host.
#ifndef BITGATE_MODELS_TRAIN_CHECKPOINT_H_
#define BITGATE_MODELS_TRAIN_CHECKPOINT_H_

#include <map>
#include <optional>
#include <string>

#include "models/graph/graph.h"
#include "models/nn/network.h"
#include "models/train/progress.h"
#include "runtime/tensor/tensor.h"

namespace bitgate {

struct Checkpoint {
  std::string path;           // where it was read from, for messages; not written
  std::string configuration;  // opaque text of the caller
  std::string graph;          // Graph::ToText
  std::string network_state;  // Network::SaveState
  std::optional<TrainingProgress> progress;
  std::string data;  // with progress: digests of the training and test images it was made on
  std::map<std::string, Tensor> network_tensors, optimizer_tensors;  // float32, contiguous, host memory
};

// The network as it is now, without progress or optimizer. Tensors are copies.
Checkpoint CaptureNetwork(Network& network, const std::string& configuration);

// Throws FailedPrecondition, naming the tensor, if a value is not finite.
void CheckFiniteValues(const Checkpoint& checkpoint);

// Writes all of it or nothing, on the disk when it returns (see WriteSafetensors). Throws what CheckFiniteValues
// throws.
void WriteCheckpoint(const std::string& path, const Checkpoint& checkpoint);

// Throws NotFound for a missing file; DataLoss for one that is cut short, damaged or no checkpoint of ours;
// FailedPrecondition for a format version that this library does not know.
Checkpoint ReadCheckpoint(const std::string& path);

// The graph in a checkpoint.
Graph GraphOf(const Checkpoint& checkpoint);

// Restores the network. Throws FailedPrecondition for the checkpoint of another graph, naming the first line that
// differs, and what Network::Load throws for another quantization method or a state that is malformed.
void LoadNetwork(Network& network, const Checkpoint& checkpoint);

// "run.safetensors" -> "run.best.safetensors", "run.log.jsonl"; another ending stays part of the name.
std::string BestPath(const std::string& output);
std::string LogPath(const std::string& output);

}  // namespace bitgate

#endif  // BITGATE_MODELS_TRAIN_CHECKPOINT_H_
