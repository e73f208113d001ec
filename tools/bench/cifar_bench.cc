#include <memory>
#include <string>

#include "runtime/base/cpu.h"
#include "tools/bench/benchmarks.h"
#include "tools/bench/cifar_step.h"

namespace bitgate::bench {
namespace {

struct Entry {
  std::string name;
  std::unique_ptr<CifarStep> step;
};

QuantizerConfig Method(const std::string& method, QuantizerConfig::BatchNormStatistics statistics = {}) {
  QuantizerConfig config;
  config.set_method(method);
  config.set_batch_norm_statistics(statistics);
  return config;
}

std::string Suffix(Compute compute) { return compute == Compute::kBfloat16 ? ", bfloat16" : ""; }

Entry MakeEntry(const std::string& name, const std::string& network, const QuantizerConfig& quantizer, Compute compute,
                int64_t batch) {
  return {name + Suffix(compute), std::make_unique<CifarStep>(network, quantizer, compute, batch)};
}

std::vector<Timing> Time(const std::vector<Entry>& entries, int turns) {
  std::vector<Contestant> contestants;
  for (const Entry& entry : entries) contestants.push_back({entry.name, [&entry] { entry.step->Run(); }});
  return TakeTurns(contestants, turns);
}

// What is promised of a row; 0: nothing. Milliseconds are those of the machine that the promises were made for: two
// cores of an Intel Xeon with AMX.
struct Promise {
  double ratio, milliseconds, peak_bytes;
};

Row Compare(const std::vector<Entry>& entries, const std::vector<Timing>& times, size_t measured, size_t baseline,
            const Promise& promise) {
  Row row{times[measured].name, times[baseline].name, times[measured].milliseconds, times[baseline].milliseconds};
  row.allowed = promise.ratio;
  row.allowed_ms = promise.milliseconds;
  row.peak_bytes = entries[measured].step->peak_bytes();
  row.baseline_peak_bytes = entries[baseline].step->peak_bytes();
  row.allowed_peak_bytes = promise.peak_bytes;
  return row;
}

std::vector<Row> ResNetRows(Compute compute, int64_t batch, int turns) {
  std::vector<Entry> entries;
  entries.push_back(MakeEntry("ResNet-20 float training step", "resnet20", Method("float"), compute, batch));
  entries.push_back(MakeEntry("ResNet-20 BSQ training step", "resnet20", Method("bsq"), compute, batch));
  const auto times = Time(entries, turns);
  return {Compare(entries, times, 1, 0, {1.3, compute == Compute::kBfloat16 ? 75.0 : 120.0, 0})};
}

std::vector<Row> Vgg7Rows(Compute compute, int64_t batch, int turns) {
  std::vector<Entry> entries;
  const auto add = [&](const std::string& name, const QuantizerConfig& quantizer) {
    entries.push_back(MakeEntry(name, "vgg7", quantizer, compute, batch));
  };
  add("VGG-7 float training step", Method("float"));
  add("VGG-7 Bayesian Bits step, published statistics", Method("bayesian_bits", QuantizerConfig::FLOAT));
  add("the same, detached statistics", Method("bayesian_bits", QuantizerConfig::DETACHED));
  add("the same, statistics of the quantized layer", Method("bayesian_bits", QuantizerConfig::QUANTIZED));
  const auto times = Time(entries, turns);
  const bool bfloat16 = compute == Compute::kBfloat16;
  return {Compare(entries, times, 1, 0, {2.15, bfloat16 ? 1300.0 : 2500.0, 2.5e9}),
          Compare(entries, times, 2, 0, {1.5, 0, 2.5e9}),
          Compare(entries, times, 3, 0, {1.2, bfloat16 ? 750.0 : 1400.0, 2.5e9})};
}

std::vector<Row> Bfloat16Rows(int64_t batch, int turns) {
  std::vector<Row> rows;
  for (const auto& [name, network] : {std::pair("VGG-7", "vgg7"), std::pair("ResNet-20", "resnet20")}) {
    std::vector<Entry> entries;
    for (const Compute compute : {Compute::kFloat32, Compute::kBfloat16}) {
      entries.push_back(
          MakeEntry(std::string(name) + " float training step", network, Method("float"), compute, batch));
    }
    const auto times = Time(entries, turns);
    rows.push_back(Compare(entries, times, 1, 0, {std::string(network) == "vgg7" ? 0.6 : 0.0, 0, 0}));
  }
  return rows;
}

}  // namespace

std::vector<Row> CifarRows(int64_t batch, int turns) {
  std::vector<Row> rows;
  const auto append = [&](const std::vector<Row>& more) { rows.insert(rows.end(), more.begin(), more.end()); };
  const bool has_bfloat16 = HasBfloat16Units();
  append(ResNetRows(Compute::kFloat32, batch, turns));
  if (has_bfloat16) append(ResNetRows(Compute::kBfloat16, batch, turns));
  append(Vgg7Rows(Compute::kFloat32, batch, turns));
  if (has_bfloat16) append(Vgg7Rows(Compute::kBfloat16, batch, turns));
  if (has_bfloat16) append(Bfloat16Rows(batch, turns));
  return rows;
}

}  // namespace bitgate::bench
