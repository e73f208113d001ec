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
      times[i].push_back(elapsed.count() / contestants[i].times);
    }
  }
  std::vector<Timing> medians;
  for (size_t i = 0; i < contestants.size(); ++i) {
    std::nth_element(times[i].begin(), times[i].begin() + turns / 2, times[i].end());
    medians.push_back({contestants[i].name, times[i][turns / 2]});
  }
  return medians;
}

namespace {

template <class... Values>
std::string Format(const char* format, Values... values) {
  char text[256];
  std::snprintf(text, sizeof(text), format, values...);
  return text;
}

const char* Verdict(bool kept) { return kept ? "kept" : "NOT KEPT"; }

std::string Promises(const Row& row) {
  std::string promises;
  if (row.allowed > 0) {
    promises += Format("<= %.2f %s  ", row.allowed, Verdict(row.measured_ms <= row.allowed * row.baseline_ms));
  }
  if (row.allowed_ms > 0) {
    promises += Format("<= %.2f ms %s  ", row.allowed_ms, Verdict(row.measured_ms <= row.allowed_ms));
  }
  if (row.allowed_extra_us > 0) {
    const double extra = 1000 * (row.measured_ms - row.baseline_ms) / row.calls;
    promises +=
        Format("%+.2f us a call <= %.2f %s  ", extra, row.allowed_extra_us, Verdict(extra <= row.allowed_extra_us));
  }
  return promises;
}

std::string Peak(const Row& row) {
  if (row.peak_bytes == 0) return "";
  std::string peak = Format("peak %.2f GB, baseline's %.2f", row.peak_bytes / 1e9, row.baseline_peak_bytes / 1e9);
  if (row.allowed_peak_bytes > 0) {
    peak += Format(", <= %.2f GB %s", row.allowed_peak_bytes / 1e9, Verdict(row.peak_bytes <= row.allowed_peak_bytes));
  }
  return peak;
}

std::string Bandwidth(const Row& row) {
  if (row.measured_bytes == 0 || row.baseline_bytes == 0) return "";
  const double measured = row.measured_bytes / row.measured_ms, baseline = row.baseline_bytes / row.baseline_ms;
  return Format("%.0f GB/s, %.0f %% of the baseline's", measured / 1e6, 100 * measured / baseline);
}

}  // namespace

std::string FormatRows(const std::vector<Row>& rows) {
  size_t measured = 44, baseline = 44;
  for (const Row& row : rows) {
    measured = std::max(measured, row.measured.size());
    baseline = std::max(baseline, row.baseline.size());
  }
  const int left = static_cast<int>(measured), right = static_cast<int>(baseline);
  std::string table =
      Format("%-*s %9s  %-*s %9s  %6s  %s\n", left, "measured", "ms", right, "baseline", "ms", "ratio", "promised");
  for (const Row& row : rows) {
    std::string line = Format("%-*s %9.3f  %-*s %9.3f  %6.2f  ", left, row.measured.c_str(), row.measured_ms, right,
                              row.baseline.c_str(), row.baseline_ms, row.measured_ms / row.baseline_ms) +
                       Promises(row) + Bandwidth(row) + Peak(row);
    line.erase(line.find_last_not_of(' ') + 1);
    table += line + "\n";
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
                    {"calls", row.calls},
                    {"peak_bytes", row.peak_bytes},
                    {"baseline_peak_bytes", row.baseline_peak_bytes}});
  }
  return json.dump();
}

}  // namespace bitgate::bench
