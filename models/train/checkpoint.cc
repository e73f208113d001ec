#include "models/train/checkpoint.h"

#include <cmath>
#include <cstring>
#include <sstream>
#include <utility>
#include <vector>

#include "models/train/optimizer.h"
#include "runtime/base/error.h"
#include "runtime/tensor/host_tensor.h"
#include "runtime/tensor/safetensors.h"

namespace bitgate {
namespace {

constexpr char kFormat[] = "bitgate";
constexpr char kFormatVersion[] = "1";
constexpr char kEnding[] = ".safetensors";

void CheckFinite(const std::map<std::string, Tensor>& tensors) {
  for (const auto& [name, tensor] : tensors) {
    const float* values = tensor.data<float>();
    for (int64_t i = 0; i < tensor.size(); ++i) {
      if (!std::isfinite(values[i])) {
        throw FailedPrecondition("checkpoint: expected finite values, got ", values[i], " in ", name);
      }
    }
  }
}

void AddEntries(const std::map<std::string, Tensor>& tensors, std::map<std::string, SafetensorsEntry>* entries) {
  for (const auto& [name, tensor] : tensors) {
    SafetensorsEntry& entry = (*entries)[name];
    entry.dtype = "F32";
    entry.shape.assign(tensor.shape().begin(), tensor.shape().end());
    entry.data = static_cast<const std::byte*>(tensor.raw_data());
    entry.bytes = static_cast<size_t>(tensor.size()) * sizeof(float);
  }
}

Tensor ReadTensor(const SafetensorsFile& file, const std::string& name) {
  const SafetensorsEntry entry = file.Entry(name);
  if (entry.dtype != "F32") {
    throw DataLoss(file.path(), ": tensor '", name, "': expected dtype F32, got ", entry.dtype);
  }
  if (entry.shape.size() > Shape::kMaxRank) {
    throw DataLoss(file.path(), ": tensor '", name, "': expected rank of at most ", Shape::kMaxRank, ", got ",
                   entry.shape.size());
  }
  std::vector<float> values(entry.bytes / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), entry.data, entry.bytes);
  return HostTensor(std::move(values), Shape(entry.shape));
}

const std::string& Metadata(const SafetensorsFile& file, const std::string& key) {
  const auto found = file.metadata().find(key);
  if (found == file.metadata().end()) {
    throw DataLoss(file.path(), ": expected a checkpoint with '", key, "' in its metadata, got none");
  }
  return found->second;
}

// The beginning of a path's name without our ending.
std::string Stem(const std::string& output) {
  const size_t length = sizeof kEnding - 1;
  const bool ends = output.size() > length && output.compare(output.size() - length, length, kEnding) == 0;
  return ends ? output.substr(0, output.size() - length) : output;
}

std::string Trimmed(const std::string& line) {
  const size_t begin = line.find_first_not_of(' ');
  return begin == std::string::npos ? "" : line.substr(begin);
}

// Throws for texts that differ, naming the first line that does.
void CheckSameGraph(const std::string& path, const Graph& expected, const Graph& got) {
  std::istringstream expected_lines(expected.ToText()), got_lines(got.ToText());
  for (int number = 1;; ++number) {
    std::string expected_line = "(end)", got_line = "(end)";
    const bool expected_more = static_cast<bool>(std::getline(expected_lines, expected_line));
    const bool got_more = static_cast<bool>(std::getline(got_lines, got_line));
    if (!expected_more && !got_more) return;
    if (!expected_more) expected_line = "(end)";
    if (!got_more) got_line = "(end)";
    if (expected_line != got_line) {
      throw FailedPrecondition(path, ": expected a checkpoint of network '", expected.name(),
                               "', got one of another network ('", got.name(), "'); the first difference of their ",
                               "graphs is line ", number, ": expected `", Trimmed(expected_line), "`, got `",
                               Trimmed(got_line), "`");
    }
  }
}

}  // namespace

Checkpoint CaptureNetwork(Network& network, const std::string& configuration) {
  Checkpoint checkpoint;
  checkpoint.configuration = configuration;
  checkpoint.graph = network.source().ToText();
  checkpoint.network_state = network.SaveState();
  for (const auto& [name, tensor] : network.StateTensors()) {
    checkpoint.network_tensors[name] = HostCopy(network.context(), tensor);
  }
  return checkpoint;
}

void CheckFiniteValues(const Checkpoint& checkpoint) {
  CheckFinite(checkpoint.network_tensors);
  CheckFinite(checkpoint.optimizer_tensors);
}

void WriteCheckpoint(const std::string& path, const Checkpoint& checkpoint) {
  CheckFiniteValues(checkpoint);
  std::map<std::string, SafetensorsEntry> entries;
  AddEntries(checkpoint.network_tensors, &entries);
  AddEntries(checkpoint.optimizer_tensors, &entries);
  std::map<std::string, std::string> metadata = {{"format", kFormat},
                                                 {"format_version", kFormatVersion},
                                                 {"configuration", checkpoint.configuration},
                                                 {"graph", checkpoint.graph},
                                                 {"network_state", checkpoint.network_state}};
  if (checkpoint.progress) {
    metadata["progress"] = ToText(*checkpoint.progress);
    metadata["data"] = checkpoint.data;
  }
  WriteSafetensors(path, entries, metadata);
}

Checkpoint ReadCheckpoint(const std::string& path) {
  const SafetensorsFile file = SafetensorsFile::Open(path);
  const std::string& format = Metadata(file, "format");
  if (format != kFormat) throw DataLoss(path, ": expected a checkpoint of format '", kFormat, "', got another format");
  const std::string& version = Metadata(file, "format_version");
  if (version != kFormatVersion) {
    throw FailedPrecondition(path, ": expected a checkpoint of format version ", kFormatVersion, ", got version ",
                             version.substr(0, 32), "; it was written by another version of this library");
  }
  Checkpoint checkpoint;
  checkpoint.path = path;
  checkpoint.configuration = Metadata(file, "configuration");
  checkpoint.graph = Metadata(file, "graph");
  checkpoint.network_state = Metadata(file, "network_state");
  GraphOf(checkpoint);  // for what it throws
  if (file.metadata().count("progress") != 0) {
    checkpoint.progress = ProgressFromText(path + ": progress", file.metadata().at("progress"));
    if (file.metadata().count("data") != 0) checkpoint.data = file.metadata().at("data");
  }
  for (const std::string& name : file.names()) {
    auto& tensors = Optimizers::IsStateName(name) ? checkpoint.optimizer_tensors : checkpoint.network_tensors;
    tensors[name] = ReadTensor(file, name);
  }
  return checkpoint;
}

Graph GraphOf(const Checkpoint& checkpoint) {
  try {
    return Graph::FromText(checkpoint.graph, checkpoint.path + ": graph");
  } catch (const Error& error) {
    throw DataLoss(error.what());
  }
}

void LoadNetwork(Network& network, const Checkpoint& checkpoint) {
  CheckSameGraph(checkpoint.path, network.source(), GraphOf(checkpoint));
  try {
    network.Load(checkpoint.network_tensors, checkpoint.network_state);
  } catch (const Error& error) {
    throw Error(error.code(), checkpoint.path + ": " + error.what());
  }
}

std::string BestPath(const std::string& output) { return Stem(output) + ".best" + kEnding; }

std::string LogPath(const std::string& output) { return Stem(output) + ".log.jsonl"; }

}  // namespace bitgate
