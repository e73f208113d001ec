#include "models/quantized/gate_layout.h"

#include <algorithm>

namespace bitgate {
namespace {

bool Allows(const Site& site, int bits) {
  return std::find(site.allowed_bits.begin(), site.allowed_bits.end(), bits) != site.allowed_bits.end();
}

// Gate offsets of the levels 4, 8, 16, 32 of one site, numbering new gates from *next.
std::array<int64_t, 4> LevelGates(const Site& site, int64_t* next) {
  int least = 32, greatest = 2;
  for (int bits : site.allowed_bits) {
    if (bits == 0) continue;
    least = std::min(least, bits);
    greatest = std::max(greatest, bits);
  }
  std::array<int64_t, 4> level;
  for (int k = 0; k < 4; ++k) {
    const int bits = kBitWidths[k + 1];
    if (bits <= least) {
      level[k] = kGateOpen;
    } else if (bits > greatest) {
      level[k] = kGateClosed;
    } else {
      level[k] = *next;
      if (Allows(site, bits)) ++*next;
    }
  }
  return level;
}

}  // namespace

GateLayout MakeGateLayout(const std::vector<Site>& sites, double max_macs, QuantizerConfig::CostWeighting weighting) {
  GateLayout layout;
  for (const Site& site : sites) {
    GateSite gates;
    gates.channel_offset = layout.parameters;
    if (site.prunable) gates.channels = site.channels;
    layout.parameters += gates.channels;
    gates.level = LevelGates(site, &layout.parameters);
    for (int i = 0; i < 5; ++i) {
      gates.cost[i] = weighting == QuantizerConfig::BOPS ? kBitWidths[i] * site.macs / max_macs : 1.0;
    }
    layout.sites.push_back(gates);
  }
  return layout;
}

ParameterDeclaration DeclareGates(const std::vector<Site>& sites, const GateLayout& layout) {
  ParameterDeclaration gates;
  gates.name = "gates";
  gates.shape = Shape{layout.parameters};
  gates.group = ParameterGroup::kGates;
  for (size_t i = 0; i < sites.size(); ++i) {
    const GateSite& site = layout.sites[i];
    if (site.channels > 0) {
      gates.parts.push_back({sites[i].name + "/channel_gates", site.channel_offset, Shape{site.channels}});
    }
    const int64_t begin = site.channel_offset + site.channels;
    const int64_t end = i + 1 < sites.size() ? layout.sites[i + 1].channel_offset : layout.parameters;
    if (end > begin) gates.parts.push_back({sites[i].name + "/gates", begin, Shape{end - begin}});
  }
  return gates;
}

std::vector<float> InitialGates(const GateLayout& layout, const QuantizerConfig& config) {
  const float open = static_cast<float>(config.initial_gate());
  std::vector<float> phi(layout.parameters, open);
  const auto& closed = config.initially_closed_bits();
  for (const GateSite& site : layout.sites) {
    for (int k = 0; k < 4; ++k) {
      const bool is_closed = std::find(closed.begin(), closed.end(), kBitWidths[k + 1]) != closed.end();
      if (site.level[k] >= 0) phi[site.level[k]] = is_closed ? -open : open;
    }
  }
  return phi;
}

}  // namespace bitgate
