#include "tools/bench/measure.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace bitgate::bench {

std::vector<Timing> TakeTurns(const std::vector<Contestant>& contestants, int turns) {
  for (const Contestant& contestant : contestants) contestant.run();
  std::vector<std::vector<double>> times(contestants.size());
  for (int turn = 0; turn < turns; ++turn) {
    for (size_t i = 0; i < contestants.size(); ++i) {
      const auto begin = std::chrono::steady_clock::now();
      contestants[i].run();
      const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - begin;
      times[i].push_back(elapsed.count());
    }
  }
  std::vector<Timing> medians;
  for (size_t i = 0; i < contestants.size(); ++i) {
    std::nth_element(times[i].begin(), times[i].begin() + turns / 2, times[i].end());
    medians.push_back({contestants[i].name, times[i][turns / 2]});
  }
  return medians;
}

std::string FormatRows(const std::vector<Row>& rows) {
  char line[256];
  std::snprintf(line, sizeof(line), "%-44s %9s  %-44s %9s  %6s  %s\n", "measured", "ms", "baseline", "ms", "ratio",
                "promised");
  std::string table = line;
  for (const Row& row : rows) {
    const double ratio = row.measured_ms / row.baseline_ms;
    std::snprintf(line, sizeof(line), "%-44s %9.3f  %-44s %9.3f  %6.2f  ", row.measured.c_str(), row.measured_ms,
                  row.baseline.c_str(), row.baseline_ms, ratio);
    table += line;
    if (row.allowed > 0) {
      std::snprintf(line, sizeof(line), "<= %.2f %s", row.allowed, ratio <= row.allowed ? "kept" : "NOT KEPT");
      table += line;
    }
    if (row.allowed_extra_us > 0) {
      const double extra = 1000 * (row.measured_ms - row.baseline_ms) / row.calls;
      std::snprintf(line, sizeof(line), "%+.2f us a call <= %.2f %s", extra, row.allowed_extra_us,
                    extra <= row.allowed_extra_us ? "kept" : "NOT KEPT");
      table += line;
    }
    table += "\n";
  }
  return table;
}

std::string ToJson(const std::vector<Row>& rows) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const Row& row : rows) {
    json.push_back({{"measured", row.measured},
                    {"measured_ms", row.measured_ms},
                    {"baseline", row.baseline},
                    {"baseline_ms", row.baseline_ms},
                    {"calls", row.calls}});
  }
  return json.dump();
}

}  // namespace bitgate::bench
