#include "tests/golden/golden_file.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iomanip>
#include <sstream>

#include "runtime/base/error.h"

namespace bitgate::golden {
namespace {

template <class T>
std::vector<T> Read(const SafetensorsFile& file, const std::string& name, const std::string& dtype) {
  const SafetensorsEntry entry = file.Entry(name);
  if (entry.dtype != dtype) {
    throw InvalidArgument(file.path(), ": expected ", name, " of dtype ", dtype, ", got ", entry.dtype);
  }
  std::vector<T> values(entry.bytes / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), entry.data, entry.bytes);
  return values;
}

}  // namespace

std::vector<float> GoldenFile::Floats(const std::string& name) const { return Read<float>(file_, name, "F32"); }
std::vector<int32_t> GoldenFile::Ints(const std::string& name) const { return Read<int32_t>(file_, name, "I32"); }

double GoldenFile::Number(const std::string& key) const {
  const auto found = metadata().find(key);
  if (found == metadata().end()) throw NotFound(file_.path(), ": expected metadata ", key);
  return std::stod(found->second);
}

void Comparison::Check(const std::string& what, const std::vector<float>& actual, const std::vector<float>& expected,
                       double allowed, double scale) {
  Worst& worst = worst_[what];
  worst.allowed = allowed;
  if (actual.size() != expected.size()) {
    std::ostringstream text;
    text << what << ": expected " << expected.size() << " values, got " << actual.size();
    failures_.push_back(text.str());
    return;
  }
  if (scale == 0) {
    for (float value : expected) scale = std::max(scale, std::fabs(static_cast<double>(value)));
  }
  constexpr double kEpsilon = 1.1920928955078125e-07;
  for (size_t i = 0; i < actual.size(); ++i) {
    const double difference = std::fabs(static_cast<double>(actual[i]) - expected[i]);
    // A tensor of zeros has no scale: it is to be matched exactly.
    const double error = difference == 0 ? 0 : scale == 0 ? INFINITY : difference / (kEpsilon * scale);
    worst.error = std::max(worst.error, error);
    if (!(error <= allowed) && failures_.size() < 8) {
      std::ostringstream text;
      text << what << "[" << i << "]: expected " << std::setprecision(9) << expected[i] << ", got " << actual[i] << ", "
           << error << " eps apart, allowed " << allowed;
      failures_.push_back(text.str());
    }
  }
}

std::string Comparison::Summary() const {
  std::ostringstream text;
  text << std::setprecision(3);
  for (const auto& [what, worst] : worst_) text << "  " << what << " " << worst.error << "/" << worst.allowed;
  for (const std::string& failure : failures_) text << "\n    " << failure;
  return text.str();
}

}  // namespace bitgate::golden
