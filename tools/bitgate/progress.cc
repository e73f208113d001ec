#include "tools/bitgate/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cmath>

#include "runtime/base/clock.h"
#include "tools/bitgate/text.h"

namespace bitgate::cli {
namespace {

constexpr double kRedrawSeconds = 0.1, kPlainSeconds = 10;
constexpr int kWidestBar = 20, kNarrowestBar = 5;
constexpr size_t kMostSites = 12;  // more do not fit a line

// " [####......]" of at most `room` cells; nothing where they would be too few to tell anything.
std::string Bar(double done, int room) {
  const int width = std::min(room, kWidestBar);
  if (width < kNarrowestBar) return "";
  const int full = std::clamp(static_cast<int>(done * width), 0, width);
  return " [" + std::string(full, '#') + std::string(width - full, '.') + "]";
}

std::string PhaseName(Phase phase) { return phase == Phase::kGates ? "gates" : "fine-tune"; }

// "bits w 4 2 2 8 a 4 4 8, kept 28/32 40/64": every tensor while they are few, else the means.
std::string Bits(const EpochSummary& summary) {
  std::string weights, activations, kept;
  double weight_sum = 0, activation_sum = 0, kept_sum = 0, channel_sum = 0;
  int weight_count = 0, activation_count = 0;
  for (const SiteSummary& site : summary.sites) {
    (site.is_weight ? weights : activations) += " " + std::to_string(site.bits);
    (site.is_weight ? weight_sum : activation_sum) += site.bits;
    ++(site.is_weight ? weight_count : activation_count);
    if (!site.is_weight) continue;
    kept += " " + std::to_string(site.kept_channels) + "/" + std::to_string(site.channels);
    kept_sum += static_cast<double>(site.kept_channels);
    channel_sum += static_cast<double>(site.channels);
  }
  if (summary.sites.empty()) return "";
  if (summary.sites.size() <= kMostSites) return "bits w" + weights + " a" + activations + ", kept" + kept;
  return Format("mean bits w %.1f a %.1f, kept %.0f/%.0f", weight_sum / std::max(weight_count, 1),
                activation_sum / std::max(activation_count, 1), kept_sum, channel_sum);
}

int TerminalWidth(std::FILE* out) {
  winsize size = {};
  return ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

Progress::Progress(std::FILE* out) : out_(out), terminal_(isatty(fileno(out))), start_(Seconds()), shown_(start_) {}

Progress::~Progress() {
  if (drawn_) std::fputs("\n", out_);
}

void Progress::Step(const StepSummary& summary) {
  const double now = Seconds();
  const bool first_of_epoch = summary.step <= 1 && !summary.evaluating;
  if (steps_at_start_ < 0 || first_of_epoch) {
    epoch_start_ = now;
    images_at_epoch_start_ = summary.images;
  }
  if (steps_at_start_ < 0) {
    steps_at_start_ = summary.total_steps_done;
    start_ = now;
  }
  if (summary.evaluating && !terminal_) return;
  if (now - shown_ < (terminal_ ? kRedrawSeconds : kPlainSeconds)) return;
  shown_ = now;
  const std::string line = Line(summary, now);
  if (terminal_) {
    Redraw(line);
  } else {
    Print(line);
  }
}

// What fits 80 columns; on a terminal a bar takes what is left.
std::string Progress::Line(const StepSummary& summary, double now) const {
  const std::string place =
      Format("%s %" PRId64 "/%" PRId64, PhaseName(summary.phase).c_str(), summary.epoch, summary.epochs);
  std::string rest;
  if (summary.evaluating) {
    rest = Format(" testing %" PRId64 "/%" PRId64, summary.evaluated_images, summary.evaluation_images);
  } else {
    // The first results of an epoch on a GPU come some steps later.
    if (summary.images > 0) rest = Format(" loss %.4f acc %.1f %%", summary.loss, 100 * summary.accuracy);
    if (relative_bops_ >= 0) rest += " BOPs " + Percent(relative_bops_);
    const double seconds = now - epoch_start_;
    if (seconds > 0) rest += Format(" %.0f images/s", (summary.images - images_at_epoch_start_) / seconds);
    const int64_t steps = summary.total_steps_done - steps_at_start_;
    const int64_t left = summary.total_steps - summary.total_steps_done;
    if (steps > 0) rest += " " + Duration((now - start_) / steps * left) + " left";
  }
  if (!terminal_) return place + Format(" step %" PRId64 "/%" PRId64, summary.step, summary.steps) + rest;
  const int room = TerminalWidth(out_) - static_cast<int>(place.size() + rest.size()) - 4;
  return place + Bar(static_cast<double>(summary.step) / std::max<int64_t>(summary.steps, 1), room) + rest;
}

void Progress::EpochEnd(const EpochSummary& summary) {
  relative_bops_ = summary.relative_bops;
  Print(Format("%s %" PRId64 "/%" PRId64 "  loss %.4f  accuracy train %s test %s  BOPs %s  weights 1/%.2f  %s%s",
               PhaseName(summary.phase).c_str(), summary.epoch, summary.epochs, summary.train_loss,
               Percent(summary.train_accuracy).c_str(), Percent(summary.test_accuracy).c_str(),
               Percent(summary.relative_bops).c_str(), summary.weight_compression, Bits(summary).c_str(),
               summary.best ? "  (best)" : ""));
}

void Progress::Requantized(const RequantizeReport& report) {
  for (const std::string& line : RequantizeLines(report)) Print(line);
}

void Progress::Frozen(const FreezeReport& report) {
  for (const std::string& line : FreezeLines(report)) Print(line);
}

void Progress::Print(const std::string& line) {
  std::fprintf(out_, "%s%s\n", drawn_ ? "\r\x1b[K" : "", line.c_str());
  std::fflush(out_);
  drawn_ = false;
}

void Progress::Redraw(const std::string& line) {
  std::fprintf(out_, "\r\x1b[K%s", line.substr(0, TerminalWidth(out_) - 1).c_str());
  std::fflush(out_);
  drawn_ = true;
}

}  // namespace bitgate::cli
