// Paired timing: what is measured and its baseline take turns, so that a machine whose speed drifts drifts for both.
#ifndef BITGATE_TOOLS_BENCH_MEASURE_H_
#define BITGATE_TOOLS_BENCH_MEASURE_H_

#include <functional>
#include <string>
#include <vector>

namespace bitgate::bench {

struct Contestant {
  std::string name;
  std::function<void()> run;  // does the whole of the work before it returns
  int times = 1;              // that `run` does it
};

struct Timing {
  std::string name;
  double milliseconds;  // of the work once: median of all turns
};

// Each contestant once to warm up, then `turns` turns of all of them in order.
std::vector<Timing> TakeTurns(const std::vector<Contestant>& contestants, int turns);

// One line of the table of ratios.
struct Row {
  std::string measured, baseline;
  double measured_ms, baseline_ms;
  double allowed = 0;  // the ratio that is promised; 0: none is
  // Of small calls, many of which were timed together: what is promised is how much longer one may take, in
  // microseconds; 0: nothing is.
  double allowed_extra_us = 0;
  int calls = 1;
  double allowed_ms = 0;                          // the time that is promised, whatever the baseline's; 0: none is
  double measured_bytes = 0, baseline_bytes = 0;  // of memory, read and written; 0: not told
  // Of memory that both held at once; 0: not told. And what is promised of the first.
  double peak_bytes = 0, baseline_peak_bytes = 0, allowed_peak_bytes = 0;
};

// Aligned, with a header; says for each row whether the promise is kept.
std::string FormatRows(const std::vector<Row>& rows);

// The same as JSON, for programs: one array of one object a row.
std::string ToJson(const std::vector<Row>& rows);

}  // namespace bitgate::bench

#endif  // BITGATE_TOOLS_BENCH_MEASURE_H_
