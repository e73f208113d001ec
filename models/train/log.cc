#include "models/train/log.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "runtime/base/error.h"

namespace bitgate {
namespace {

using Json = nlohmann::ordered_json;

// Whether `line` (without its newline) is our line of that number.
bool IsLine(const std::string& line, int64_t number) {
  const Json object = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  return object.is_object() && object.contains("line") && object["line"] == number;
}

// Bytes of the first `lines` lines, as far as they are there and whole.
uint64_t CoveredBytes(const std::string& text, int64_t lines) {
  size_t end = 0;
  for (int64_t number = 1; number <= lines; ++number) {
    const size_t newline = text.find('\n', end);
    if (newline == std::string::npos || !IsLine(text.substr(end, newline - end), number)) break;
    end = newline + 1;
  }
  return end;
}

// JSON has no infinity or NaN; null stands for both.
Json Number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

}  // namespace

std::string FormatLogLine(const EpochSummary& summary, const LogFields& fields) {
  Json rates = Json::object(), bits = Json::object(), kept = Json::object();
  for (int group = 0; group < kParameterGroups; ++group) {
    rates[ToString(static_cast<ParameterGroup>(group))] = Number(summary.learning_rates[group]);
  }
  for (const SiteSummary& site : summary.sites) {
    bits[site.name] = site.bits;
    if (site.is_weight) kept[site.name] = Json::array({site.kept_channels, site.channels});
  }
  Json line = {{"line", summary.line},
               {"phase", ToString(summary.phase)},
               {"epoch", summary.epoch},
               {"epochs", summary.epochs},
               {"global_step", summary.global_step},
               {"train_loss", Number(summary.train_loss)},
               {"train_penalty", Number(summary.train_penalty)},
               {"train_accuracy", Number(summary.train_accuracy)},
               {"test_loss", Number(summary.test_loss)},
               {"test_accuracy", Number(summary.test_accuracy)},
               {"penalty", Number(summary.penalty)},
               {"objective", Number(summary.objective)},
               {"best", summary.best},
               {"relative_bops", Number(summary.relative_bops)},
               {"weight_compression", Number(summary.weight_compression)},
               {"bytes", summary.bytes},
               {"learning_rates", rates},
               {"bits", bits},
               {"kept_channels", kept}};
  for (const auto& [name, value] : fields) {
    if (line.contains(name)) throw InvalidArgument("log: expected a new name for a field, got '", name, "'");
    line[name] = Number(value);
  }
  return line.dump(-1, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace) + "\n";
}

TrainingLog::TrainingLog(const std::string& path, int64_t lines) : file_(path) {
  TruncateFile(path, lines > 0 ? CoveredBytes(ReadFile(path), lines) : 0);
}

void TrainingLog::Append(const EpochSummary& summary, const LogFields& fields) {
  file_.Append(FormatLogLine(summary, fields));
}

}  // namespace bitgate
