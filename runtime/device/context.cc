#include "runtime/device/context.h"

#include "runtime/base/cpu.h"
#include "runtime/base/error.h"
#include "runtime/device/onednn.h"

namespace bitgate {
namespace {

std::unique_ptr<Backend> MakeBackend(Device device) {
  if (device.type == DeviceType::kCpu) return MakeCpuBackend();
#if defined(BG_CUDA)
  return cuda::MakeBackend(device.index);
#else
  throw UnsupportedDevice("device: expected cpu, got ", ToString(device),
                          ": this is a CPU-only build (CUDA needs --config=cuda)");
#endif
}

void CheckCpuCompute(Compute compute) {
  if (compute == Compute::kFloat32) return;
  if (compute != Compute::kBfloat16) {
    throw UnsupportedDevice("compute: expected float32 or bfloat16 on the cpu, got ", ToString(compute));
  }
  constexpr const char* kExpected = "compute: expected AVX-512 BF16 or AMX for bfloat16 on the cpu, got ";
  if (!HasBfloat16Units()) throw UnsupportedDevice(kExpected, "a processor without (", ProcessorName(), ")");
  // oneDNN's names are sets of bits, each containing those it builds on.
  const int used = static_cast<int>(dnnl::get_effective_cpu_isa());
  const int needed = static_cast<int>(dnnl::cpu_isa::avx512_core_bf16);
  if ((used & needed) != needed) throw UnsupportedDevice(kExpected, "them forbidden by ONEDNN_MAX_CPU_ISA");
}

}  // namespace

Context::Context(Device device, Compute compute)
    : device_(device),
      backend_(MakeBackend(device)),
      memory_(backend_->pool()),
      kernel_{backend_->compute_stream(), compute, libraries_, plans_, memory_.workspace} {
  set_compute(compute);
}

void Context::set_compute(Compute compute) {
  if (device_.type == DeviceType::kCpu) CheckCpuCompute(compute);
  kernel_.compute = compute;
}

Context::~Context() = default;

}  // namespace bitgate
