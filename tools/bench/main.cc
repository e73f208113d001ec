// Prints one table of ratios, each against a baseline measured in the same run:
//
//   bazel run //tools/bench -- [--threads=N] [--smoke] [--small_ops | --cifar]
//   bazel run --config=cuda //tools/bench -- --device=cuda:0 [--smoke]
//
// --smoke takes tiny sizes and one turn: it shows that the benchmarks run, its numbers mean nothing. --small_ops prints
// the rows of small calls alone, as JSON (tools/bench/doors.py reads them); --cifar those of VGG-7 and ResNet-20, which
// take minutes and some GB. With --device the rows are the GPU's.
#include <cstdlib>
#include <iostream>
#include <string>

#include "runtime/base/cpu.h"
#include "runtime/base/error.h"
#include "runtime/base/thread_pool.h"
#include "runtime/device/context.h"
#include "runtime/device/library_versions.h"
#include "tools/bench/benchmarks.h"

namespace bitgate::bench {
namespace {

std::string ProcessorLine() {
  return ProcessorName() + ", " + std::to_string(Threads()) + " threads, kernels for " + IsaName(ActiveIsa()) + "\n";
}

void RunOnCpu(bool smoke, bool small_ops, bool cifar) {
  if (cifar) {
    std::cout << ProcessorLine() << FormatRows(CifarRows(smoke ? 2 : 128, smoke ? 1 : 7));
    return;
  }
  const std::vector<Row> small_op_rows = SmallOpRows(smoke ? 10 : 10000, smoke ? 1 : 31);
  if (small_ops) {
    std::cout << ToJson(small_op_rows) << "\n";
    return;
  }
  std::cout << ProcessorLine();
  std::vector<Row> rows = QuantizerRows(smoke ? int64_t{1} << 20 : int64_t{1} << 26, smoke ? 1 : 15);
  for (const Row& row : LeNetStepRows(smoke ? 4 : 128, smoke ? 1 : 101)) rows.push_back(row);
  rows.insert(rows.end(), small_op_rows.begin(), small_op_rows.end());
  std::cout << FormatRows(rows);
}

void RunOnGpu(Device device, bool smoke) {
  const std::string name = Context(device).backend().device_name();  // no GPU: says so before anything is measured
  std::vector<Row> rows = GpuQuantizerRows(device, smoke ? int64_t{1} << 14 : int64_t{1} << 26, smoke ? 1 : 15);
  const GpuLeNetSize size = smoke ? GpuLeNetSize{4, 2, 3} : GpuLeNetSize{128, 468, 200};
  for (const Row& row : GpuLeNetStepRows(device, size, smoke ? 1 : 15)) rows.push_back(row);
  std::cout << name;
  for (const auto& [library, version] : LibraryVersions()) std::cout << ", " << library << " " << version;
  std::cout << "\n" << ProcessorLine() << FormatRows(rows);
}

int Main(int argc, char** argv) {
  bool smoke = false, small_ops = false, cifar = false;
  Device device;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--smoke") {
      smoke = true;
    } else if (argument == "--small_ops") {
      small_ops = true;
    } else if (argument == "--cifar") {
      cifar = true;
    } else if (argument.rfind("--threads=", 0) == 0) {
      SetThreads(std::atoi(argument.c_str() + 10));
    } else if (argument.rfind("--device=", 0) == 0) {
      device = ParseDevice(argument.substr(9));
    } else {
      std::cerr << "usage: bench [--device=cpu|cuda:N] [--threads=N] [--smoke] [--small_ops | --cifar]\n";
      return 2;
    }
  }
  if (device.type == DeviceType::kCpu) {
    RunOnCpu(smoke, small_ops, cifar);
  } else {
    RunOnGpu(device, smoke);
  }
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
