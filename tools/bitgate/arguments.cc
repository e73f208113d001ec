#include "tools/bitgate/arguments.h"

#include <algorithm>
#include <charconv>

#include "models/jobs/suggest.h"

namespace bitgate::cli {
namespace {

std::string Underscores(std::string name) {
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

const Flag* Find(const Command& command, const std::string& name) {
  for (const Flag& flag : command.flags) {
    if (Underscores(flag.name) == Underscores(name)) return &flag;
  }
  return nullptr;
}

[[noreturn]] void ThrowUnknown(const Command& command, const std::string& word) {
  std::vector<std::string> known;
  for (const Flag& flag : command.flags) known.push_back(flag.name);
  if (command.takes_settings) {
    const std::vector<std::string> settings = jobs::SettingNames();
    known.insert(known.end(), settings.begin(), settings.end());
  }
  const std::string closest = jobs::Closest(word, known);
  throw UsageError(command.name + ": unknown flag --" + word +
                   (closest.empty() ? "" : "; did you mean --" + closest + "?") + " (`bitgate " + command.name +
                   " --help` lists them)");
}

bool IsFlag(const std::string& word) { return word.size() > 1 && word[0] == '-'; }

}  // namespace

std::vector<Flag> CommonFlags() {
  return {
      {"device", 0, "DEVICE", "cpu (default) or cuda:0, cuda:1, ... in a CUDA build"},
      {"compute", 0, "HOW",
       "of products and convolutions: float32 (default); bfloat16 (a GPU, AVX-512 BF16 or AMX; elsewhere float32 with "
       "a notice); tf32 (a GPU)"},
      {"threads", 0, "N", "threads on the processor (default: all it has)"},
      {"json", 0, "", "print the result as one JSON object instead of text"},
      {"help", 'h', "", "this text"},
  };
}

Arguments::Arguments(const Command& command, const std::vector<std::string>& words) : command_(command) {
  bool only_positionals = false;
  for (size_t next = 0; next < words.size();) {
    const std::string& word = words[next++];
    if (!only_positionals && word == "--") {
      only_positionals = true;
    } else if (!only_positionals && IsFlag(word)) {
      Add(Split(word), words, &next);
    } else {
      positionals_.push_back(word);
    }
  }
  if (Has("help")) return;
  const bool none = command.or_none && positionals_.empty();
  if (!none && static_cast<int>(positionals_.size()) != command.positionals) {
    throw UsageError(command.name + ": expected " + std::to_string(command.positionals) + " file" +
                     (command.positionals == 1 ? "" : "s") + " as in `bitgate " + command.name + " " + command.usage +
                     "`, got " + std::to_string(positionals_.size()) +
                     (positionals_.empty() ? "" : ", the last '" + positionals_.back() + "'"));
  }
}

Arguments::Option Arguments::Split(const std::string& word) const {
  if (word[1] != '-') {
    for (const Flag& flag : command_.flags) {
      if (flag.letter == 0 || flag.letter != word[1]) continue;
      if (word.size() == 2) return {flag.name, std::nullopt};
      return {flag.name, word.substr(word[2] == '=' ? 3 : 2)};
    }
    throw UsageError(command_.name + ": unknown flag " + word + " (`bitgate " + command_.name + " --help` lists them)");
  }
  const size_t equals = word.find('=');
  if (equals == std::string::npos) return {word.substr(2), std::nullopt};
  return {word.substr(2, equals - 2), word.substr(equals + 1)};
}

void Arguments::Add(const Option& option, const std::vector<std::string>& words, size_t* next) {
  const Flag* flag = Find(command_, option.name);
  const bool is_setting = flag == nullptr && command_.takes_settings && option.name.find('.') != std::string::npos;
  if (flag == nullptr && !is_setting) ThrowUnknown(command_, option.name);
  const bool is_switch = flag != nullptr && flag->value.empty();
  if (is_switch && option.value) {
    throw UsageError(command_.name + ": --" + flag->name + " takes no value, got '" + *option.value + "'");
  }
  std::string value;
  if (option.value) {
    value = *option.value;
  } else if (!is_switch) {
    if (*next == words.size()) throw UsageError(command_.name + ": --" + option.name + " expects a value");
    value = words[(*next)++];
  }
  if (is_setting || !flag->setting.empty()) {
    const std::string path = is_setting ? Underscores(option.name) : flag->setting;
    settings_.push_back({path, value, "--" + option.name});
  } else if (!values_.emplace(flag->name, value).second) {
    throw UsageError(command_.name + ": --" + flag->name + " is given twice");
  }
}

std::string Arguments::Get(const std::string& flag, const std::string& otherwise) const {
  const auto found = values_.find(flag);
  return found == values_.end() ? otherwise : found->second;
}

std::string Arguments::Require(const std::string& flag) const {
  const std::string value = Get(flag);
  if (value.empty()) {
    throw UsageError(command_.name + ": expected --" + flag + ", as in `bitgate " + command_.name + " " +
                     command_.usage + "`");
  }
  return value;
}

int64_t Arguments::GetInteger(const std::string& flag, int64_t otherwise, int64_t low, int64_t high) const {
  if (!Has(flag)) return otherwise;
  const std::string text = Get(flag);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < low || value > high) {
    throw UsageError(command_.name + ": --" + flag + " expects a number from " + std::to_string(low) + " to " +
                     std::to_string(high) + ", got '" + text + "'");
  }
  return value;
}

}  // namespace bitgate::cli
