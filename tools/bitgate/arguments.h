// What the command line of one subcommand may hold, and what it held.
#ifndef BITGATE_TOOLS_BITGATE_ARGUMENTS_H_
#define BITGATE_TOOLS_BITGATE_ARGUMENTS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "models/jobs/config.h"

namespace bitgate::cli {

// What the user typed, in the command line, a recipe or a graph file, is wrong: exit code 2.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Flag {
  std::string name;   // without the dashes
  char letter = 0;    // -o; 0: none
  std::string value;  // what help calls the value; empty: a switch
  std::string help;
  std::string setting = "";  // the configuration's field that the flag is short for, "training.epochs"
};

class Arguments;

struct Command {
  std::string name;
  std::string usage;    // what follows the name: "CHECKPOINT --output=FILE"
  std::string summary;  // one line for the program's help
  std::string description;
  int positionals = 0;   // how many there must be
  bool or_none = false;  // or none
  std::vector<Flag> flags;
  bool takes_settings = false;                // --training.epochs=5 and the like
  std::vector<std::string> setting_prefixes;  // what --help lists of them; empty: all
  std::string examples;
  int (*run)(const Arguments&) = nullptr;  // returns the exit code
};

class Arguments {
 public:
  // `--name=value`, `--name value`, `-o value`, `-ovalue`; '-' and '_' in names are the same; after "--" everything is
  // positional. Throws UsageError for what `command` does not know (naming the closest that it does), a missing or
  // superfluous value, a flag given twice, or another number of positionals.
  Arguments(const Command& command, const std::vector<std::string>& words);

  bool Has(const std::string& flag) const { return values_.count(flag) > 0; }
  std::string Get(const std::string& flag, const std::string& otherwise = "") const;
  // Throws UsageError if it is missing.
  std::string Require(const std::string& flag) const;
  // Throws UsageError unless it is a number in [low, high].
  int64_t GetInteger(const std::string& flag, int64_t otherwise, int64_t low, int64_t high) const;
  const std::string& command() const { return command_.name; }
  int positionals() const { return static_cast<int>(positionals_.size()); }
  const std::string& positional(int index) const { return positionals_.at(index); }
  // Settings of the configuration in the order given.
  const std::vector<jobs::Setting>& settings() const { return settings_; }

 private:
  struct Option {
    std::string name;
    std::optional<std::string> value;
  };

  Option Split(const std::string& word) const;
  void Add(const Option& option, const std::vector<std::string>& words, size_t* next);

  const Command& command_;
  std::map<std::string, std::string> values_;
  std::vector<std::string> positionals_;
  std::vector<jobs::Setting> settings_;
};

// Flags that every subcommand has.
std::vector<Flag> CommonFlags();

}  // namespace bitgate::cli

#endif  // BITGATE_TOOLS_BITGATE_ARGUMENTS_H_
