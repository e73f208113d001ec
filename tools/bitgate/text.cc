#include "tools/bitgate/text.h"

#include <algorithm>
#include <cinttypes>
#include <cmath>
#include <cstdarg>
#include <cstdio>

namespace bitgate::cli {

std::string Format(const char* format, ...) {
  va_list arguments, again;
  va_start(arguments, format);
  va_copy(again, arguments);
  std::string text(std::max(std::vsnprintf(nullptr, 0, format, arguments), 0), '\0');
  va_end(arguments);
  std::vsnprintf(text.data(), text.size() + 1, format, again);
  va_end(again);
  return text;
}

std::string Percent(double fraction) { return Format("%.2f %%", 100 * fraction); }

std::string Duration(double seconds) {
  const int64_t whole = std::llround(std::clamp(seconds, 0.0, 1e9));
  if (whole < 60) return Format("%" PRId64 " s", whole);
  if (whole < 3600) return Format("%" PRId64 " min %02" PRId64 " s", whole / 60, whole % 60);
  return Format("%" PRId64 " h %02" PRId64 " min", whole / 3600, whole / 60 % 60);
}

std::string ShellQuoted(const std::string& word) {
  static const char* const kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./:,+@%=";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? "'\\''" : std::string(1, c);
  return quoted + "'";
}

std::string OneLine(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  for (size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at)) text.replace(at, 1, "; ");
  return text;
}

std::vector<std::string> RequantizeLines(const RequantizeReport& report) {
  std::string changed;
  for (const RequantizedTensor& tensor : report.tensors) {
    if (tensor.bits == tensor.bits_before) continue;
    changed += (changed.empty() ? "" : ", ") + tensor.name + " " + std::to_string(tensor.bits_before) + " -> " +
               std::to_string(tensor.bits);
  }
  std::vector<std::string> lines = {changed.empty() ? "requantized: all bits as before" : "requantized: " + changed};
  for (const std::string& warning : report.warnings) lines.push_back("warning: " + warning);
  return lines;
}

std::vector<std::string> FreezeLines(const FreezeReport& report) {
  int64_t changed = 0, codes = 0;
  for (const FrozenSite& site : report.sites) {
    changed += site.changed_codes;
    codes += site.codes;
  }
  std::vector<std::string> lines = {Format(
      "frozen: %" PRId64 " of %" PRId64 " weight codes changed by rounding once instead of in steps", changed, codes)};
  for (const std::string& note : report.notes) lines.push_back("frozen: " + note);
  return lines;
}

}  // namespace bitgate::cli
