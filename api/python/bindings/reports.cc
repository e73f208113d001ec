#include "api/python/bindings/reports.h"

#include <pybind11/stl.h>

namespace bitgate::python {

py::str PhaseName(Phase phase) { return py::str(ToString(phase)); }

py::dict FreezeDict(const FreezeReport& report) {
  py::list sites;
  for (const FrozenSite& site : report.sites) {
    py::dict entry;
    entry["name"] = site.name;
    entry["bits"] = site.bits;
    entry["kept_channels"] = site.kept_channels;
    entry["channels"] = site.channels;
    entry["changed_codes"] = site.changed_codes;
    entry["codes"] = site.codes;
    sites.append(entry);
  }
  py::dict result;
  result["sites"] = sites;
  result["notes"] = report.notes;
  return result;
}

py::dict RequantizeDict(const RequantizeReport& report) {
  py::list tensors;
  for (const RequantizedTensor& tensor : report.tensors) {
    py::dict entry;
    entry["name"] = tensor.name;
    entry["bits_before"] = tensor.bits_before;
    entry["bits"] = tensor.bits;
    tensors.append(entry);
  }
  py::dict result;
  result["tensors"] = tensors;
  result["warnings"] = report.warnings;
  return result;
}

py::dict EpochDict(const EpochSummary& summary) {
  py::dict bits, kept_channels, learning_rates;
  for (const SiteSummary& site : summary.sites) {
    bits[py::str(site.name)] = site.bits;
    if (site.is_weight) kept_channels[py::str(site.name)] = py::make_tuple(site.kept_channels, site.channels);
  }
  for (int group = 0; group < kParameterGroups; ++group) {
    learning_rates[ToString(static_cast<ParameterGroup>(group))] = summary.learning_rates[group];
  }
  py::dict epoch;
  epoch["line"] = summary.line;
  epoch["phase"] = PhaseName(summary.phase);
  epoch["epoch"] = summary.epoch;
  epoch["epochs"] = summary.epochs;
  epoch["global_step"] = summary.global_step;
  epoch["train_loss"] = summary.train_loss;
  epoch["train_penalty"] = summary.train_penalty;
  epoch["train_accuracy"] = summary.train_accuracy;
  epoch["test_loss"] = summary.test_loss;
  epoch["test_accuracy"] = summary.test_accuracy;
  epoch["penalty"] = summary.penalty;
  epoch["objective"] = summary.objective;
  epoch["best"] = summary.best;
  epoch["relative_bops"] = summary.relative_bops;
  epoch["weight_compression"] = summary.weight_compression;
  epoch["bytes"] = summary.bytes;
  epoch["learning_rates"] = learning_rates;
  epoch["bits"] = bits;
  epoch["kept_channels"] = kept_channels;
  return epoch;
}

}  // namespace bitgate::python
