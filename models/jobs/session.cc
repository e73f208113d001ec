#include "models/jobs/session.h"

#include <filesystem>

#include "models/data/open.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/base/thread_pool.h"

namespace bitgate::jobs {
namespace {

// A damaged graph may ask for any amount of memory; the file's own tensors say how much it can need.
void CheckParametersFit(const Checkpoint& checkpoint, const Graph& graph) {
  double declared = 0;
  for (const Node& node : graph.nodes()) {
    for (const ParameterSpec& parameter : node.spec.parameters) {
      double elements = 1;
      for (int64_t dimension : parameter.shape) elements *= static_cast<double>(dimension);
      declared += elements;
    }
  }
  double present = 0;
  for (const auto& [name, tensor] : checkpoint.network_tensors) present += static_cast<double>(tensor.size());
  if (declared > present) {
    throw DataLoss(checkpoint.path, ": expected at least the ", declared, " parameters that its graph has, got ",
                   present);
  }
}

}  // namespace

Config ConfigOf(const Checkpoint& checkpoint) {
  try {
    return ParseConfig(checkpoint.configuration, checkpoint.path + ": configuration");
  } catch (const Error& error) {
    throw DataLoss(error.what());
  }
}

std::unique_ptr<Context> OpenContext(const Machine& machine) {
  if (machine.threads != 0) SetThreads(machine.threads);
  return std::make_unique<Context>(machine.device);
}

Session OpenSession(const std::string& checkpoint, const Machine& machine) {
  Session session;
  session.context = OpenContext(machine);
  session.checkpoint = ReadCheckpoint(checkpoint);
  session.config = ConfigOf(session.checkpoint);
  const Graph graph = GraphOf(session.checkpoint);
  CheckParametersFit(session.checkpoint, graph);
  session.network =
      std::make_unique<Network>(*session.context, graph, session.config.quantizer(), session.config.training().seed());
  LoadNetwork(*session.network, session.checkpoint);
  return session;
}

Dataset OpenData(const Data& data, Split split, const Graph& graph) {
  const bool train = split == Split::kTrain;
  const std::optional<Dataset>& array = train ? data.train : data.test;
  const Dataset dataset =
      array ? *array : OpenDataset(data.folder, split, static_cast<int>(graph.shape(graph.output()).back()));
  CheckDataset(train ? "training data" : "test data", graph, dataset);
  return dataset;
}

void RequireFrozen(const Session& session, const std::string& verb) {
  if (session.network->frozen()) return;
  throw FailedPrecondition(session.checkpoint.path, ": ", verb,
                           " expects a frozen checkpoint, got one whose gates still learn; freeze it first");
}

void CheckWritable(const std::string& path) { AtomicFile probe(path); }

void CheckDistinct(const std::string& input, const std::string& output) {
  std::error_code error;
  if (std::filesystem::equivalent(input, output, error)) {
    throw InvalidArgument("output: expected another file than the input, got ", output, " for both");
  }
}

BitReport ReportOf(Network& network) { return MakeBitReport(network.graph(), network.States()); }

}  // namespace bitgate::jobs
