// DLPack, both ways: tensors of PyTorch, NumPy and others in and out without a copy.
#include <array>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/common/devices.h"
#include "api/python/bindings/bindings.h"
#include "api/python/bindings/dlpack_abi.h"
#include "api/python/bindings/handle.h"
#include "api/python/bindings/sessions.h"
#include "runtime/base/error.h"
#include "runtime/tensor/copy.h"

namespace bitgate::python {
namespace {

// Names of capsules, fresh and taken.
template <class Managed>
constexpr const char* kFresh = "dltensor";
template <class Managed>
constexpr const char* kUsed = "used_dltensor";
template <>
constexpr const char* kFresh<dlpack::ManagedVersioned> = "dltensor_versioned";
template <>
constexpr const char* kUsed<dlpack::ManagedVersioned> = "used_dltensor_versioned";

// -- Out -------------------------------------------------------------------------------------------

dlpack::DataType TypeOf(DType dtype) {
  const auto bits = static_cast<uint8_t>(8 * SizeOf(dtype));
  if (dtype == DType::kFloat32) return {dlpack::kFloat, bits, 1};
  return {dtype == DType::kUint8 ? dlpack::kUInt : dlpack::kInt, bits, 1};
}

dlpack::Device TheirDevice(Device device) {
  return {device.type == DeviceType::kCpu ? dlpack::kCpu : dlpack::kCuda, device.index};
}

template <class Managed>
struct Lending {
  Managed managed{};
  Tensor tensor;  // keeps the memory
  std::array<int64_t, Shape::kMaxRank> shape{}, strides{};
};

template <class Managed>
py::capsule ExportAs(const Tensor& tensor) {
  auto lending = std::make_unique<Lending<Managed>>();
  lending->tensor = tensor.Detached();
  const int rank = tensor.shape().rank();
  for (int axis = 0; axis < rank; ++axis) lending->shape[axis] = tensor.shape()[axis];
  lending->strides = ContiguousStrides(tensor.shape());
  Managed& managed = lending->managed;
  managed.array = {tensor.raw_data(),     TheirDevice(tensor.device()), rank, TypeOf(tensor.dtype()),
                   lending->shape.data(), lending->strides.data(),      0};
  managed.manager = lending.get();
  managed.deleter = [](Managed* self) { delete static_cast<Lending<Managed>*>(self->manager); };
  if constexpr (std::is_same_v<Managed, dlpack::ManagedVersioned>) {
    managed.major = dlpack::kMajorVersion;
    managed.minor = dlpack::kMinorVersion;
  }
  PyObject* capsule = PyCapsule_New(&managed, kFresh<Managed>, [](PyObject* object) {
    if (PyCapsule_IsValid(object, kFresh<Managed>) == 0) return;  // taken: its new owner deletes
    auto* untaken = static_cast<Managed*>(PyCapsule_GetPointer(object, kFresh<Managed>));
    untaken->deleter(untaken);
  });
  if (capsule == nullptr) throw py::error_already_set();
  static_cast<void>(lending.release());
  return py::reinterpret_steal<py::capsule>(capsule);
}

py::tuple DeviceOf(const api::Variable& self) {
  const dlpack::Device device = TheirDevice(self.value.device());
  return py::make_tuple(device.type, device.id);
}

// So that the consumer's stream finds what ours has written. -1: it sees to that itself.
void WaitForStream(const Tensor& tensor, const py::object& stream) {
  if (tensor.device().type == DeviceType::kCpu) {
    if (!stream.is_none()) throw py::buffer_error("dlpack: expected no stream, for a tensor on the cpu has none");
    return;
  }
  const int64_t asked = stream.is_none() ? 1 : stream.cast<int64_t>();
  if (asked < -1 || asked == 0) {
    throw py::buffer_error("dlpack: expected a stream of CUDA, 1, 2 or -1, got " + std::to_string(asked));
  }
  if (asked == -1 || asked == reinterpret_cast<intptr_t>(api::ComputeStream(tensor.device()).handle)) return;
  const Unlocked unlocked;
  api::Synchronize(tensor.device());
}

// The tensor, or a copy of it if that is asked for, or needed for the device that is.
Tensor ForDevice(const Tensor& tensor, const py::object& asked, const py::object& copy) {
  const bool must_copy = !copy.is_none() && copy.cast<bool>(), may_copy = copy.is_none() || must_copy;
  const dlpack::Device own = TheirDevice(tensor.device());
  if (asked.is_none() || asked.equal(py::make_tuple(own.type, own.id))) {
    return must_copy ? Clone(SessionOn(tensor.device()).context(), tensor) : tensor;
  }
  if (own.type == dlpack::kCpu || !may_copy || !asked.equal(py::make_tuple(dlpack::kCpu, 0))) {
    throw py::buffer_error("dlpack: expected device (" + std::to_string(own.type) + ", " + std::to_string(own.id) +
                           "), where the tensor is" +
                           (own.type == dlpack::kCpu ? "" : ", or a copy on (1, 0), the cpu"));
  }
  const Unlocked unlocked;
  return api::OnHost(tensor);
}

py::capsule Export(const TensorHandle& self, const py::object& stream, const py::object& max_version,
                   const py::object& device, const py::object& copy) {
  const Entry entry;
  const Tensor tensor = ForDevice(self->value, device, copy);
  if (tensor.device() == self->value.device()) WaitForStream(tensor, stream);
  const bool versioned = !max_version.is_none() && max_version[py::int_(0)].cast<int>() >= 1;
  return versioned ? ExportAs<dlpack::ManagedVersioned>(tensor) : ExportAs<dlpack::Managed>(tensor);
}

// -- In --------------------------------------------------------------------------------------------

DType DTypeOf(const dlpack::DataType& type) {
  for (DType dtype : {DType::kFloat32, DType::kInt32, DType::kInt8, DType::kUint8}) {
    const dlpack::DataType known = TypeOf(dtype);
    if (type.code == known.code && type.bits == known.bits && type.lanes == known.lanes) return dtype;
  }
  throw InvalidArgument("from_dlpack: expected dtype float32, int32, int8 or uint8, got DLPack type code ",
                        int{type.code}, " of ", int{type.bits}, " bits");
}

void CheckRowMajor(const dlpack::Array& array, const Shape& shape) {
  if (array.strides == nullptr || shape.size() == 0) return;
  int64_t expected = 1;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    if (shape[axis] != 1 && array.strides[axis] != expected) {
      throw InvalidArgument("from_dlpack: expected a contiguous array, got strides over shape ", shape,
                            "; make it contiguous first");
    }
    expected *= shape[axis];
  }
}

// Ours of this number. Throws UnsupportedDevice for what this build lacks.
Device OurDevice(int32_t type, int32_t id) {
  if (type == dlpack::kCpu) return {};
  if (type != dlpack::kCuda) {
    throw UnsupportedDevice("from_dlpack: expected an array on the cpu or a GPU of CUDA, got DLPack device ", type);
  }
  const Device device{DeviceType::kCuda, id};
  api::ComputeStream(device);
  return device;
}

// The array as a tensor, without its owner.
Tensor Checked(const dlpack::Array& array, std::function<void()> release) {
  const Device device = OurDevice(array.device.type, array.device.id);
  const DType dtype = DTypeOf(array.dtype);
  if (array.ndim > Shape::kMaxRank) {
    throw InvalidArgument("from_dlpack: expected at most ", Shape::kMaxRank, " dimensions, got ", array.ndim);
  }
  const Shape shape(std::vector<int64_t>(array.shape, array.shape + array.ndim));
  CheckRowMajor(array, shape);
  auto* data = static_cast<std::byte*>(array.data) + (array.data == nullptr ? 0 : array.byte_offset);
  if (reinterpret_cast<uintptr_t>(data) % SizeOf(dtype) != 0) {
    throw InvalidArgument("from_dlpack: expected an array aligned for its dtype, got one at an odd address");
  }
  return BorrowTensor(data, shape, dtype, device, std::move(release));
}

// Its owner may use the memory at once, on a stream of its own: ours must be done with it.
template <class Managed>
void Delete(void* data) {
  auto* managed = static_cast<Managed*>(data);
  if (managed->array.device.type == dlpack::kCuda) {
    try {
      api::Synchronize({DeviceType::kCuda, managed->array.device.id});
    } catch (const std::exception&) {
      // The GPU has failed, and nothing runs on it any more.
    }
  }
  if (managed->deleter != nullptr) managed->deleter(managed);
}

template <class Managed>
TensorHandle Take(PyObject* capsule) {
  auto* managed = static_cast<Managed*>(PyCapsule_GetPointer(capsule, kFresh<Managed>));
  if (managed == nullptr) throw py::error_already_set();
  if constexpr (std::is_same_v<Managed, dlpack::ManagedVersioned>) {
    if (managed->major != dlpack::kMajorVersion) {
      throw InvalidArgument("from_dlpack: expected DLPack 1, got ", managed->major);
    }
    if ((managed->flags & dlpack::kReadOnly) != 0) {
      throw InvalidArgument("from_dlpack: expected a writable array, got one that is read-only; bitgate.tensor copies");
    }
  }
  Checked(managed->array, {});  // while failing leaves the capsule its owner
  auto variable = std::make_shared<api::Variable>();
  variable->value = Checked(managed->array, [managed] { Defer(Delete<Managed>, managed); });
  PyCapsule_SetName(capsule, kUsed<Managed>);
  return variable;
}

// The newer form if it knows it, else the older. A GPU's array is made ready for our stream.
py::object CapsuleOf(const py::object& array, Device device) {
  const py::object dlpack = array.attr("__dlpack__");
  py::dict options;
  if (device.type != DeviceType::kCpu) {
    options["stream"] = py::int_(reinterpret_cast<uintptr_t>(api::ComputeStream(device).handle));
  }
  try {
    return dlpack(py::arg("max_version") = py::make_tuple(dlpack::kMajorVersion, dlpack::kMinorVersion), **options);
  } catch (py::error_already_set& error) {
    if (!error.matches(PyExc_TypeError)) throw;
  }
  return dlpack(**options);
}

TensorHandle Import(const py::object& array) {
  const Entry entry;
  if (!py::hasattr(array, "__dlpack__")) {
    throw py::type_error("from_dlpack: expected an array with __dlpack__, got " +
                         py::str(py::type::of(array)).cast<std::string>());
  }
  Device device;
  if (py::hasattr(array, "__dlpack_device__")) {
    const py::object theirs = array.attr("__dlpack_device__")();
    device = OurDevice(py::int_(theirs[py::int_(0)]).cast<int32_t>(), py::int_(theirs[py::int_(1)]).cast<int32_t>());
  }
  const py::object capsule = CapsuleOf(array, device);
  using dlpack::Managed, dlpack::ManagedVersioned;
  if (PyCapsule_IsValid(capsule.ptr(), kFresh<ManagedVersioned>) != 0) return Take<ManagedVersioned>(capsule.ptr());
  return Take<Managed>(capsule.ptr());
}

}  // namespace

void BindDlpack(py::module_& m, TensorClass& tensor) {
  tensor.def("__dlpack__", Export, py::kw_only(), py::arg("stream") = py::none(), py::arg("max_version") = py::none(),
             py::arg("dl_device") = py::none(), py::arg("copy") = py::none(),
             R"(A DLPack capsule of the tensor's memory, for from_dlpack() of other libraries. No copy, no gradient.

Of a tensor on a GPU: returns when what is queued on it is done, but for stream=-1. What the other library queues on the
memory must be done before it lets go of it, and before ops here use it again.)");
  tensor.def("__dlpack_device__", DeviceOf, "(1, 0) is the cpu, (2, index) a GPU, as DLPack numbers devices.");
  m.def("from_dlpack", Import, py::arg("array"), R"(The tensor of another library, without a copy.

Args:
  array: has __dlpack__ (PyTorch, NumPy, JAX, ...); on the cpu or, in a build with CUDA, on a GPU; contiguous, writable;
    float32, int32, int8 or uint8.

Both see what the other writes; on a GPU, where each queues work on a stream of its own, what it queues later must be
done before the other reads it. Raises ValueError for another dtype, gaps between elements or memory that is read-only (tensor() copies those),
NotImplementedError for another device, TypeError for what has no __dlpack__.)");
}

}  // namespace bitgate::python
