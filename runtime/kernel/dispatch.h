// Which implementation of a kernel runs: by device, and on the CPU by instruction set.
//
// A kernel `F` has one signature and lives as cpu::F and cuda::F. A vectorised CPU kernel is compiled once per
// instruction set (tools/bazel: bg_isa_library) into cpu::scalar, cpu::avx2 and cpu::avx512; <op>_kernels.h declares it
//
//     BG_PER_ISA(void F(KernelContext& context, View y, ConstView x);)
//     namespace cuda { void F(KernelContext& context, View y, ConstView x); }
//
// and the op picks one:  KernelTable<decltype(cpu::scalar::F)> kF{BG_CPU_KERNEL(F), BG_CUDA_KERNEL(F)};
#ifndef BITGATE_RUNTIME_KERNEL_DISPATCH_H_
#define BITGATE_RUNTIME_KERNEL_DISPATCH_H_

#include "runtime/base/cpu.h"
#include "runtime/base/error.h"
#include "runtime/device/device.h"
#include "runtime/kernel/per_isa.h"

namespace bitgate {

template <class F>
struct KernelTable {
  F* cpu;
  F* cuda;

  // Throws UnsupportedDevice, naming the op, when there is no kernel for the device in this build.
  F& For(Device device, const char* op) const {
    F* kernel = device.type == DeviceType::kCpu ? cpu : cuda;
    if (kernel == nullptr) throw UnsupportedDevice(op, ": no kernel for ", ToString(device), " in this build");
    return *kernel;
  }
};

template <class F>
F* SelectIsa(F* scalar, F* avx2, F* avx512) {
  switch (ActiveIsa()) {
    case Isa::kAvx512:
      return avx512;
    case Isa::kAvx2:
      return avx2;
    case Isa::kScalar:
      break;
  }
  return scalar;
}

}  // namespace bitgate

#define BG_CPU_KERNEL(name) \
  ::bitgate::SelectIsa(&::bitgate::cpu::scalar::name, &::bitgate::cpu::avx2::name, &::bitgate::cpu::avx512::name)

#if defined(BG_CUDA)
#define BG_CUDA_KERNEL(name) (&::bitgate::cuda::name)
#else
#define BG_CUDA_KERNEL(name) (nullptr)
#endif

#endif  // BITGATE_RUNTIME_KERNEL_DISPATCH_H_
