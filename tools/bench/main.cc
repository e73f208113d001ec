// Prints one table of ratios, each against a baseline measured in the same run:
//
//   bazel run //tools/bench -- [--threads=N] [--smoke] [--small_ops]
//
// --smoke takes tiny sizes and one turn: it shows that the benchmarks run, its numbers mean nothing. --small_ops prints
// the rows of small calls alone, as JSON (tools/bench/doors.py reads them).
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
  bool smoke = false, small_ops = false;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--smoke") {
      smoke = true;
    } else if (argument == "--small_ops") {
      small_ops = true;
    } else if (argument.rfind("--threads=", 0) == 0) {
      SetThreads(std::atoi(argument.c_str() + 10));
    } else {
      std::cerr << "usage: bench [--threads=N] [--smoke] [--small_ops]\n";
      return 2;
    }
  }
  const std::vector<Row> small_op_rows = SmallOpRows(smoke ? 10 : 10000, smoke ? 1 : 31);
  if (small_ops) {
    std::cout << ToJson(small_op_rows) << "\n";
    return 0;
  }
  std::cout << ProcessorName() << ", " << Threads() << " threads, kernels for " << IsaName(ActiveIsa()) << "\n";
  std::vector<Row> rows = QuantizerRows(smoke ? int64_t{1} << 20 : int64_t{1} << 26, smoke ? 1 : 15);
  for (const Row& row : LeNetStepRows(smoke ? 4 : 128, smoke ? 1 : 101)) rows.push_back(row);
  rows.insert(rows.end(), small_op_rows.begin(), small_op_rows.end());
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
