#include "models/train/progress.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "runtime/base/error.h"

namespace bitgate {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kLongestText = 4096;  // ours has some 300 characters

std::string HexText(double value) {
  char text[64];
  std::snprintf(text, sizeof text, "%a", value);
  return text;
}

// Reads the fields of one object and says which of them is wrong.
class FieldReader {
 public:
  FieldReader(const std::string& where, const Json& object) : where_(where), object_(object) {}

  int64_t Count(const char* name) const {
    const Json& value = Field(name);
    if (!value.is_number_unsigned() || value.get<uint64_t>() > kLargestCount) {
      throw Wrong(name, "a number in [0, 2^53]", value);
    }
    return value.get<int64_t>();
  }

  double Hex(const char* name) const {
    const Json& value = Field(name);
    const std::string text = value.is_string() ? value.get<std::string>() : "";
    char* end = nullptr;
    const double number = std::strtod(text.c_str(), &end);
    // Spelled our way, which leaves one text for each number.
    if (text.empty() || *end != 0 || std::isnan(number) || HexText(number) != text) {
      throw Wrong(name, "a hexadecimal floating-point number", value);
    }
    return number;
  }

  Phase ReadPhase(const char* name) const {
    const Json& value = Field(name);
    for (const Phase phase : {Phase::kGates, Phase::kFineTune}) {
      if (value == ToString(phase)) return phase;
    }
    throw Wrong(name, "\"gates\" or \"fine_tune\"", value);
  }

 private:
  static constexpr uint64_t kLargestCount = uint64_t{1} << 53;

  const Json& Field(const char* name) const {
    const auto found = object_.find(name);
    if (found == object_.end()) throw DataLoss(where_, ": expected the field '", name, "', got none");
    return *found;
  }

  Error Wrong(const char* name, const char* expected, const Json& got) const {
    return DataLoss(where_, ": field '", name, "': expected ", expected, ", got ",
                    got.dump(-1, ' ', true, Json::error_handler_t::replace).substr(0, 64));
  }

  const std::string& where_;
  const Json& object_;
};

}  // namespace

const char* ToString(Phase phase) { return phase == Phase::kGates ? "gates" : "fine_tune"; }

std::string ToText(const TrainingProgress& progress) {
  const Json object = {{"phase", ToString(progress.phase)},
                       {"epoch", progress.epoch},
                       {"batch", progress.batch},
                       {"total_epochs", progress.total_epochs},
                       {"global_step", progress.global_step},
                       {"images", progress.images},
                       {"correct", progress.correct},
                       {"loss_sum", HexText(progress.loss_sum)},
                       {"penalty_sum", HexText(progress.penalty_sum)},
                       {"best_objective", HexText(progress.best_objective)}};
  return object.dump();
}

TrainingProgress ProgressFromText(const std::string& where, const std::string& text) {
  if (text.size() > kLongestText) {
    throw DataLoss(where, ": expected at most ", kLongestText, " characters, got ", text.size());
  }
  const Json object = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) throw DataLoss(where, ": expected a JSON object, got something else");
  const FieldReader reader(where, object);
  TrainingProgress progress;
  progress.phase = reader.ReadPhase("phase");
  progress.epoch = reader.Count("epoch");
  progress.batch = reader.Count("batch");
  progress.total_epochs = reader.Count("total_epochs");
  progress.global_step = reader.Count("global_step");
  progress.images = reader.Count("images");
  progress.correct = reader.Count("correct");
  progress.loss_sum = reader.Hex("loss_sum");
  progress.penalty_sum = reader.Hex("penalty_sum");
  progress.best_objective = reader.Hex("best_objective");
  if (progress.epoch > progress.total_epochs || progress.correct > progress.images) {
    throw DataLoss(where, ": expected epochs of a phase within those of the run and correct images within all, got ",
                   text);
  }
  return progress;
}

}  // namespace bitgate
