// What the verbs have in common: a checkpoint brought to life, data that fits a network, outputs that can be written.
#ifndef BITGATE_MODELS_JOBS_SESSION_H_
#define BITGATE_MODELS_JOBS_SESSION_H_

#include <memory>
#include <string>

#include "models/jobs/jobs.h"
#include "models/train/checkpoint.h"
#include "runtime/device/context.h"

namespace bitgate::jobs {

// A checkpoint and the network in it, on a device.
struct Session {
  Checkpoint checkpoint;
  Config config;
  std::unique_ptr<Context> context;
  std::unique_ptr<Network> network;
};

// Throws what ReadCheckpoint and LoadNetwork throw, and DataLoss for a configuration that cannot be read.
Session OpenSession(const std::string& checkpoint, const Machine& machine);

// The configuration in a checkpoint. Throws DataLoss.
Config ConfigOf(const Checkpoint& checkpoint);

// Sets the number of threads and makes the context.
std::unique_ptr<Context> OpenContext(const Machine& machine);

// One half of the data, checked against the network: labels and shapes that do not fit are InvalidArgument.
Dataset OpenData(const Data& data, Split split, const Graph& graph);

// Throws FailedPrecondition telling to freeze first.
void RequireFrozen(const Session& session, const std::string& verb);

// Throws what writing `path` would throw, now; nothing is left behind.
void CheckWritable(const std::string& path);

// Throws InvalidArgument if both are the same file.
void CheckDistinct(const std::string& input, const std::string& output);

BitReport ReportOf(Network& network);

}  // namespace bitgate::jobs

#endif  // BITGATE_MODELS_JOBS_SESSION_H_
