#include "models/quantized/bit_report.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include "models/graph/site.h"

namespace bitgate {
namespace {

// "float" for a tensor that is not quantized.
std::string BitsText(const std::optional<int>& bits) { return bits ? std::to_string(*bits) : "float"; }

std::string Format(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

// "460.8 k", "3.277 M": four digits and a power of 1000.
std::string CountText(double count) {
  static const char* const kUnits[] = {"", " k", " M", " G", " T", " P", " E"};
  size_t unit = 0;
  while (count >= 999.95 && unit + 1 < sizeof kUnits / sizeof kUnits[0]) {
    count /= 1000;
    ++unit;
  }
  return Format("%.4g", count) + kUnits[unit];
}

std::string ChannelsText(int64_t kept, int64_t all) { return std::to_string(kept) + "/" + std::to_string(all); }

using Line = std::vector<std::string>;

Line RowLine(const BitReportRow& row) {
  return {row.layer,
          row.kind,
          row.has_weight ? BitsText(row.weight_bits) : "-",
          BitsText(row.activation_bits),
          ChannelsText(row.kept_channels, row.channels),
          CountText(row.macs),
          CountText(row.bops),
          Format("%.1f %%", 100 * row.bops_share),
          std::to_string(row.bytes)};
}

// The first two columns are text and align left, the others right.
std::string AlignedText(const std::vector<Line>& lines) {
  std::vector<size_t> widths(lines[0].size(), 0);
  for (const Line& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  std::string text;
  for (const Line& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) {
      const std::string space(widths[i] - line[i].size(), ' ');
      text += (i == 0 ? "" : "  ") + (i < 2 ? line[i] + space : space + line[i]);
    }
    text += '\n';
  }
  return text;
}

nlohmann::ordered_json BitsJson(const std::optional<int>& bits) {
  return bits ? nlohmann::ordered_json(*bits) : nlohmann::ordered_json(nullptr);
}

nlohmann::ordered_json RowJson(const BitReportRow& row) {
  return {{"layer", row.layer},
          {"kind", row.kind},
          {"weight_bits", BitsJson(row.weight_bits)},
          {"activation_bits", BitsJson(row.activation_bits)},
          {"kept_channels", row.kept_channels},
          {"channels", row.channels},
          {"macs", row.macs},
          {"bops", row.bops},
          {"bops_share", row.bops_share},
          {"bytes", row.bytes}};
}

// A row without costs: of a sum it is the whole row.
BitReportRow MakeRow(const Node& node) {
  BitReportRow row{};
  row.layer = node.name;
  row.kind = node.kind->name();
  row.has_weight = node.kind->traits().has_weight;
  row.channels = row.kept_channels = node.spec.shape.back();
  return row;
}

void AddCost(const LayerCost& cost, double network_bops, BitReportRow* row) {
  row->kept_channels = cost.kept_channels;
  row->macs = cost.macs;
  row->bops = cost.bops;
  row->bops_share = network_bops > 0 ? cost.bops / network_bops : 0;
  row->bytes = cost.bytes;
}

}  // namespace

BitReport MakeBitReport(const Graph& graph, const SiteStates& states) {
  const NetworkCost cost = ComputeCost(graph, states);
  BitReport report{graph.name(),
                   {},
                   0,
                   0,
                   cost.macs,
                   cost.bops,
                   cost.relative_bops(),
                   cost.bytes,
                   cost.float_bytes,
                   cost.weight_compression()};
  std::map<int, size_t> row_of;
  for (const Node& node : graph.nodes()) {
    if (!graph.IsLayer(node.index)) continue;
    row_of[node.index] = report.rows.size();
    report.rows.push_back(MakeRow(node));
  }
  for (const LayerCost& layer : cost.layers) {
    AddCost(layer, cost.bops, &report.rows[row_of[layer.layer]]);
    report.kept_channels += layer.kept_channels;
    report.channels += layer.channels;
  }
  for (const Site& site : QuantizationSites(graph)) {
    BitReportRow& row = report.rows[row_of[site.layer]];
    (site.role == Role::kWeight ? row.weight_bits : row.activation_bits) = states.at(site.name).bits;
  }
  return report;
}

std::string FormatTable(const BitReport& report) {
  std::vector<Line> lines = {{"layer", "kind", "weights", "output", "channels", "MACs", "BOPs", "share", "bytes"}};
  for (const BitReportRow& row : report.rows) lines.push_back(RowLine(row));
  lines.push_back({"total", "", "", "", ChannelsText(report.kept_channels, report.channels), CountText(report.macs),
                   CountText(report.bops), "", std::to_string(report.bytes)});
  return AlignedText(lines) + "relative BOPs " + Format("%.3g", 100 * report.relative_bops) + " %, bytes " +
         std::to_string(report.bytes) + " of " + std::to_string(report.float_bytes) + ", weight compression " +
         (report.weight_compression > 0 ? Format("%.4g", report.weight_compression) : "-") + "\n";
}

std::string ToJson(const BitReport& report) {
  nlohmann::ordered_json layers = nlohmann::ordered_json::array();
  for (const BitReportRow& row : report.rows) layers.push_back(RowJson(row));
  const nlohmann::ordered_json json = {{"network", report.network},
                                       {"layers", layers},
                                       {"totals",
                                        {{"kept_channels", report.kept_channels},
                                         {"channels", report.channels},
                                         {"macs", report.macs},
                                         {"bops", report.bops},
                                         {"relative_bops", report.relative_bops},
                                         {"bytes", report.bytes},
                                         {"float_bytes", report.float_bytes},
                                         {"weight_compression", report.weight_compression}}}};
  return json.dump();
}

}  // namespace bitgate
