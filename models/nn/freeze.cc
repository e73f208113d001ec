// Network: from learning to fixed quantizers, and to and from files.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "models/graph/fold.h"
#include "models/nn/layer_call.h"
#include "models/nn/network.h"
#include "ops/norm/folded_norm.h"
#include "runtime/base/error.h"
#include "runtime/tensor/copy.h"
#include "runtime/tensor/host_tensor.h"

namespace bitgate {
namespace {

// Codes of a frozen integer weight that differ between two versions of its values; both lie on its grid.
int64_t ChangedCodes(const std::vector<float>& before, const std::vector<float>& after, float scale) {
  int64_t changed = 0;
  for (size_t i = 0; i < before.size(); ++i) changed += std::fabs(before[i] - after[i]) > 0.5f * scale ? 1 : 0;
  return changed;
}

// Whether a channel of `tensor` meets padding zeros, or a sum, before it is multiplied. Pools leave padding out.
bool MeetsPaddingOrSum(const Graph& graph, int tensor) {
  for (int layer : graph.ConsumingLayers(tensor)) {
    const Node& node = graph.node(layer);
    const Window& window = node.spec.window;
    const bool pads = node.kind->traits().has_weight && (window.padding_height > 0 || window.padding_width > 0);
    if (pads || !node.kind->traits().has_weight) return true;
  }
  return false;
}

}  // namespace

std::map<std::string, Tensor> Network::Floats(bool fold) {
  std::map<std::string, Tensor> floats;
  for (const Node& node : graph_.nodes()) {
    for (const ParameterSpec& spec : node.spec.parameters) {
      floats[node.name + "/" + spec.suffix] = Float(node.index, spec.suffix);
    }
    const std::optional<Norm>& norm = steps_[node.index].norm;
    if (!fold || !norm) continue;
    Tensor& weight = floats[node.name + "/weight"];
    weight = ScaleRows(context_, weight, GainOf(*norm));
    floats[node.name + "/bias"] = ShiftOf(*norm);
  }
  return floats;
}

void Network::ReplaceMethod(bool fold, const std::function<std::unique_ptr<Method>(std::vector<Site>)>& make) {
  const std::map<std::string, Tensor> floats = Floats(fold);
  std::vector<Site> sites = method_->sites();
  if (fold) {
    graph_ = FoldBatchNorms(graph_);
    sites = QuantizationSites(graph_);
  }
  method_ = make(std::move(sites));
  ++revision_;
  AllocateParameters();
  for (auto node = graph_.nodes().rbegin(); node != graph_.nodes().rend(); ++node) {
    for (const ParameterSpec& spec : node->spec.parameters) {
      SetFloat(node->index, spec.suffix, floats.at(node->name + "/" + spec.suffix));
    }
  }
}

FreezeReport Network::Freeze() {
  if (frozen_) throw FailedPrecondition("freeze: network ", graph_.name(), " is frozen already");
  const bool fold = method_->norm_folding() != NormFolding::kNone;
  std::vector<Site> sites = method_->sites();
  const std::unique_ptr<Prepared> before = method_->Begin(context_, Mode::kEvaluate, {}, {});
  std::vector<Fixed> fixed;
  std::vector<std::vector<float>> weights;
  for (size_t i = 0; i < sites.size(); ++i) {
    const int site = static_cast<int>(i);
    fixed.push_back(method_->Freeze(context_, site));
    const bool compare = sites[i].role == Role::kWeight && fixed[i].encoding == Encoding::kInteger;
    const Tensor gain = compare ? GainOf(steps_[sites[i].node]) : Tensor();
    weights.push_back(compare ? ToHost<float>(context_, method_->Weight(context_, *before, site, gain))
                              : std::vector<float>());
  }
  ReplaceMethod(fold, [&](std::vector<Site> of) { return MakeFixedMethod(std::move(of), fixed); });
  sites = method_->sites();
  frozen_ = true;
  FreezeReport report;
  const std::unique_ptr<Prepared> after = method_->Begin(context_, Mode::kEvaluate, {}, {});
  for (size_t i = 0; i < sites.size(); ++i) {
    FrozenSite site;
    site.name = sites[i].name;
    site.bits = fixed[i].bits;
    site.channels = static_cast<int64_t>(fixed[i].keep.size());
    site.kept_channels = std::count(fixed[i].keep.begin(), fixed[i].keep.end(), true);
    site.codes = static_cast<int64_t>(weights[i].size());
    if (site.codes > 0) {
      const Tensor now = method_->Weight(context_, *after, static_cast<int>(i), {});
      site.changed_codes = ChangedCodes(weights[i], ToHost<float>(context_, now), fixed[i].scale);
    }
    if (sites[i].role == Role::kWeight && site.kept_channels == 0) {
      report.notes.push_back(site.name + ": all channels are pruned; the layer's output is constant");
    }
    report.sites.push_back(site);
  }
  MaskPaddedConstants(&report.notes);
  return report;
}

// A pruned channel holds its bias. Where a consumer pads with zeros that constant could not be moved into the
// consumer's bias exactly, so it becomes zero here, for fine-tuning to see, and stays so.
void Network::MaskPaddedConstants(std::vector<std::string>* notes) {
  for (size_t i = 0; i < method_->sites().size(); ++i) {
    const Site& site = method_->sites()[i];
    Step& step = steps_[site.node];
    if (site.role != Role::kWeight || step.bias == nullptr || !MeetsPaddingOrSum(graph_, site.node)) continue;
    const Fixed fixed = method_->Freeze(context_, static_cast<int>(i));
    const int64_t pruned = std::count(fixed.keep.begin(), fixed.keep.end(), false);
    if (pruned == 0) continue;
    const std::vector<float> mask(fixed.keep.begin(), fixed.keep.end());
    std::vector<float> bias = ToHost<float>(context_, step.bias->value);
    for (size_t c = 0; c < bias.size(); ++c) bias[c] = mask[c] == 0 ? 0.0f : bias[c];
    step.bias_mask = FromHost(context_, mask, step.bias->value.shape());
    CopyInto(context_, step.bias->value, FromHost(context_, bias, step.bias->value.shape()));
    notes->push_back(graph_.node(site.node).name + ": constants of " + std::to_string(pruned) +
                     " pruned channels are set to zero, because a consumer pads or adds");
  }
}

std::string Network::SaveState() const {
  nlohmann::ordered_json state;
  state["frozen"] = frozen_;
  state["folded"] = graph_.nodes().size() != source_.nodes().size();
  state["method"] = method_->SaveState();
  return state.dump();
}

bool Network::IsFrozenState(const std::string& text) {
  const auto state = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  return state.is_object() && state.contains("frozen") && state.at("frozen") == true;
}

// Throws DataLoss at the first value that training could not have left in a parameter.
void Network::CheckValues(const std::map<std::string, Tensor>& given) const {
  for (const Parameter* parameter : parameter_list_) {
    const ParameterDeclaration& declaration = parameter->declaration;
    std::vector<std::string> names;
    for (const ParameterPart& part : declaration.parts) names.push_back(part.name);
    if (names.empty() && parameter->value.size() > 0) names.push_back(declaration.name);
    for (const std::string& name : names) {
      const Tensor& tensor = given.at(name);
      const float* values = tensor.data<float>();
      for (int64_t i = 0; i < tensor.size(); ++i) {
        if (std::isfinite(values[i]) && values[i] >= declaration.low && values[i] <= declaration.high) continue;
        throw DataLoss("network ", graph_.name(), ": expected finite values of ", name, " in [", declaration.low, ", ",
                       declaration.high, "], got ", values[i], " at ", i);
      }
    }
  }
}

// Throws FailedPrecondition at the first name or shape in which `given` is not `mine`.
void Network::CheckTensors(const std::map<std::string, Tensor>& given,
                           const std::map<std::string, Tensor>& mine) const {
  for (const auto& [name, tensor] : mine) {
    const auto found = given.find(name);
    if (found == given.end()) {
      throw FailedPrecondition("network ", graph_.name(), ": expected a tensor ", name, tensor.shape(), ", got none");
    }
    if (found->second.shape() != tensor.shape() || found->second.dtype() != tensor.dtype()) {
      throw FailedPrecondition("network ", graph_.name(), ": expected ", name, tensor.shape(), " in float32, got ",
                               ToString(found->second.dtype()), found->second.shape());
    }
  }
  for (const auto& [name, tensor] : given) {
    if (mine.count(name) == 0) {
      throw FailedPrecondition("network ", graph_.name(), ": expected no tensor ", name, ", got ", tensor.shape());
    }
  }
}

void Network::Load(const std::map<std::string, Tensor>& tensors, const std::string& text) {
  const auto state = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!state.is_object() || !state.contains("frozen") || !state.at("frozen").is_boolean() ||
      !state.contains("method") || !state.at("method").is_string()) {
    throw DataLoss("network state: expected {\"frozen\", \"method\"}, got ", text.substr(0, 80));
  }
  const bool folded = state.contains("folded") && state.at("folded") == true;
  const std::string method_state = state.at("method").get<std::string>();
  if (state.at("frozen").get<bool>()) {
    ReplaceMethod(folded, [&](std::vector<Site> of) { return MakeFixedMethod(std::move(of), method_state); });
    frozen_ = true;
  } else if (frozen_) {
    throw FailedPrecondition("network ", graph_.name(), ": is frozen, and the state to load is not");
  }
  const auto mine = StateTensors();
  CheckTensors(tensors, mine);
  std::map<std::string, Tensor> given;
  for (const auto& [name, tensor] : tensors) {
    given[name] = tensor.device() == Device{} ? tensor : HostCopy(context_, tensor);
  }
  CheckValues(given);
  method_->LoadState(method_state);
  ++revision_;
  for (const auto& [name, tensor] : mine) {
    context_.backend().CopyFromHost(tensor.raw_data(), given.at(name).raw_data(),
                                    static_cast<size_t>(tensor.size()) * sizeof(float));
  }
  std::vector<std::string> known;  // was reported when the network was frozen
  if (frozen_) MaskPaddedConstants(&known);
}

}  // namespace bitgate
