// Prints one table of ratios, each against a baseline measured in the same run:
//
//   bazel run //tools/bench -- [--threads=N] [--smoke]
//
// --smoke takes tiny sizes and one turn: it shows that the benchmarks run, its numbers mean nothing.
#include <cstdlib>
#include <iostream>
#include <string>

#include "runtime/base/cpu.h"
#include "runtime/base/error.h"
#include "runtime/base/thread_pool.h"
#include "tools/bench/benchmarks.h"

namespace bitgate::bench {
namespace {

int Main(int argc, char** argv) {
  bool smoke = false;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--smoke") {
      smoke = true;
    } else if (argument.rfind("--threads=", 0) == 0) {
      SetThreads(std::atoi(argument.c_str() + 10));
    } else {
      std::cerr << "usage: bench [--threads=N] [--smoke]\n";
      return 2;
    }
  }
  std::cout << ProcessorName() << ", " << Threads() << " threads, kernels for " << IsaName(ActiveIsa()) << "\n";
  std::vector<Row> rows = QuantizerRows(smoke ? int64_t{1} << 20 : int64_t{1} << 26, smoke ? 1 : 15);
  for (const Row& row : LeNetStepRows(smoke ? 4 : 128, smoke ? 1 : 101)) rows.push_back(row);
  std::cout << FormatRows(rows);
  return 0;
}

}  // namespace
}  // namespace bitgate::bench

int main(int argc, char** argv) {
  try {
    return bitgate::bench::Main(argc, argv);
  } catch (const bitgate::Error& error) {
    std::cerr << "bench: " << error.what() << "\n";
    return 1;
  }
}
