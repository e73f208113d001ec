// Replays golden vectors:  replay --golden_dir=DIR
//
// Every .safetensors file in DIR is replayed by the prefix of its name. One line a file: the worst difference of each
// tensor in units of eps * magnitude, and what is allowed. Exit status 0 when all files agree and there is at least
// one, 1 otherwise, 2 for a usage error.
#include <algorithm>
#include <filesystem>
#include <iostream>

#include "runtime/base/error.h"
#include "tests/golden/golden_file.h"

namespace bitgate::golden {
namespace {

struct Replay {
  const char* prefix;
  void (*run)(const GoldenFile&, Comparison*);
};

const Replay kReplays[] = {
    {"bb_train_", &ReplayQuantizer},       {"bb_eval_", &ReplayQuantizer}, {"bb_lenet_small_", &ReplayLeNet},
    {"bb_bn_fold_", &ReplayBatchNormFold}, {"bsq_", &ReplayBsq},
};

const Replay& FindReplay(const std::string& name) {
  for (const Replay& replay : kReplays) {
    if (name.compare(0, std::string(replay.prefix).size(), replay.prefix) == 0) return replay;
  }
  throw InvalidArgument("unknown kind of vector");
}

// Whether the file agrees; prints its line.
bool ReplayFile(const std::filesystem::path& path) {
  Comparison comparison;
  try {
    FindReplay(path.stem().string()).run(GoldenFile(path.string()), &comparison);
  } catch (const std::exception& error) {
    std::cout << "FAILED  " << path.stem().string() << "  " << error.what() << "\n";
    return false;
  }
  std::cout << (comparison.passed() ? "OK      " : "FAILED  ") << path.stem().string() << comparison.Summary() << "\n";
  return comparison.passed();
}

int ReplayFolder(const std::string& folder) {
  std::vector<std::filesystem::path> paths;
  std::error_code status;
  for (const auto& entry : std::filesystem::directory_iterator(folder, status)) {
    if (entry.path().extension() == ".safetensors") paths.push_back(entry.path());
  }
  if (status) {
    std::cerr << "replay: cannot read folder " << folder << ": " << status.message() << "\n";
    return 2;
  }
  std::sort(paths.begin(), paths.end());
  int agreed = 0, failed = 0;
  for (const auto& path : paths) ReplayFile(path) ? ++agreed : ++failed;
  std::cout << agreed << " agreed, " << failed << " failed\n";
  return failed == 0 && agreed > 0 ? 0 : 1;
}

}  // namespace
}  // namespace bitgate::golden

int main(int argc, char** argv) {
  const std::string flag = "--golden_dir=";
  const std::string argument = argc == 2 ? argv[1] : "";
  if (argument.compare(0, flag.size(), flag) != 0) {
    std::cerr << "usage: replay --golden_dir=DIR\n";
    return 2;
  }
  return bitgate::golden::ReplayFolder(argument.substr(flag.size()));
}
