// What one sees while a network trains: on a terminal one line that is redrawn, elsewhere a plain line now and then;
// in both a line for every epoch.
#ifndef BITGATE_TOOLS_BITGATE_PROGRESS_H_
#define BITGATE_TOOLS_BITGATE_PROGRESS_H_

#include <cstdio>
#include <string>

#include "models/nn/network.h"
#include "models/train/summary.h"

namespace bitgate::cli {

class Progress {
 public:
  // Writes to `out`, which is not owned.
  explicit Progress(std::FILE* out);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void Step(const StepSummary& summary);
  void EpochEnd(const EpochSummary& summary);
  void Requantized(const RequantizeReport& report);
  void Frozen(const FreezeReport& report);
  void Note(const std::string& line) { Print(line); }

 private:
  std::string Line(const StepSummary& summary, double now) const;
  void Print(const std::string& line);   // a line that stays
  void Redraw(const std::string& line);  // a line that the next one replaces

  std::FILE* out_;
  bool terminal_;
  bool drawn_ = false;  // a replaceable line is on the screen
  double start_ = 0, shown_ = 0, epoch_start_ = 0;
  int64_t steps_at_start_ = -1, images_at_epoch_start_ = 0;
  double relative_bops_ = -1;  // of the last epoch
};

}  // namespace bitgate::cli

#endif  // BITGATE_TOOLS_BITGATE_PROGRESS_H_
