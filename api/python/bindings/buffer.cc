#include "api/python/bindings/buffer.h"

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/python/bindings/handle.h"
#include "runtime/base/error.h"

namespace bitgate::python {
namespace {

// A buffer that somebody lends. Given back under Python's lock, sooner or later.
struct Lent {
  Py_buffer view{};
  bool held = false;

  explicit Lent(const py::object& array) {
    if (PyObject_GetBuffer(array.ptr(), &view, PyBUF_RECORDS_RO) != 0) throw py::error_already_set();
    held = true;
  }
  ~Lent() {
    if (held) PyBuffer_Release(&view);
  }
};

std::optional<DType> DTypeOfFormat(const Py_buffer& view) {
  std::string format = view.format == nullptr ? "B" : view.format;
  if (!format.empty() && (format[0] == '@' || format[0] == '=' || format[0] == '<')) format.erase(0, 1);
  if (format == "f") return DType::kFloat32;
  if ((format == "i" || format == "l") && view.itemsize == 4) return DType::kInt32;
  if (format == "b") return DType::kInt8;
  if (format == "B") return DType::kUint8;
  return std::nullopt;
}

const char* FormatOf(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return "f";
    case DType::kInt32:
      return "i";
    case DType::kInt8:
      return "b";
    case DType::kUint8:
      return "B";
  }
  return "B";
}

Shape ShapeOf(const char* where, const Py_buffer& view) {
  if (view.ndim > Shape::kMaxRank) {
    throw InvalidArgument(where, ": expected at most ", Shape::kMaxRank, " dimensions, got ", view.ndim);
  }
  return Shape(std::vector<int64_t>(view.shape, view.shape + view.ndim));
}

void CheckLayout(const char* where, const Py_buffer& view, const Shape& shape, bool read_only) {
  const bool contiguous = view.len == 0 || PyBuffer_IsContiguous(&view, 'C') != 0;
  if (!contiguous) {
    const bool fortran = PyBuffer_IsContiguous(&view, 'F') != 0;
    throw InvalidArgument(where, ": expected a C-contiguous array, got ",
                          fortran ? "Fortran order" : "one with gaps or another order", " over shape ", shape,
                          "; bitgate.tensor copies it");
  }
  if (view.readonly != 0 && !read_only) {
    throw InvalidArgument(where, ": expected a writable array, got one that is read-only, of shape ", shape,
                          "; bitgate.tensor copies it");
  }
  if (reinterpret_cast<uintptr_t>(view.buf) % static_cast<size_t>(view.itemsize) != 0) {
    throw InvalidArgument(where, ": expected an array aligned for its dtype, got one at an odd address");
  }
}

}  // namespace

Tensor Borrowed(const char* where, const py::object& array, bool read_only) {
  auto lent = std::make_unique<Lent>(array);
  const Py_buffer& view = lent->view;
  const std::optional<DType> dtype = DTypeOfFormat(view);
  if (!dtype) {
    throw InvalidArgument(where, ": expected dtype float32, int32, int8 or uint8, got format '", view.format,
                          "' (struct module) of ", view.itemsize, " bytes");
  }
  const Shape shape = ShapeOf(where, view);
  CheckLayout(where, view, shape, read_only);
  const Tensor tensor = BorrowTensor(view.buf, shape, *dtype, Device{}, [lent = lent.get()] {
    Defer([](void* data) { delete static_cast<Lent*>(data); }, lent);
  });
  static_cast<void>(lent.release());
  return tensor;
}

namespace {

// Sizes and strides of one exported buffer.
struct Exported {
  std::array<Py_ssize_t, Shape::kMaxRank> shape, strides;
};

int FillBuffer(PyObject* object, Py_buffer* view, int flags) {
  const Tensor& tensor = py::handle(object).cast<const api::Variable&>().value;
  if (tensor.device() != Device{} || !tensor.contiguous()) {
    PyErr_SetString(PyExc_BufferError, "tensor: expected one on the cpu, got one on another device; numpy() copies it");
    return -1;
  }
  auto* exported = new Exported;
  const auto itemsize = static_cast<Py_ssize_t>(SizeOf(tensor.dtype()));
  Py_ssize_t bytes = itemsize;
  for (int axis = tensor.shape().rank() - 1; axis >= 0; --axis) {
    exported->shape[axis] = tensor.shape()[axis];
    exported->strides[axis] = bytes;
    bytes *= tensor.shape()[axis];
  }
  view->obj = Py_NewRef(object);
  view->buf = tensor.raw_data();
  view->len = bytes;
  view->readonly = 0;
  view->itemsize = itemsize;
  view->format = (flags & PyBUF_FORMAT) != 0 ? const_cast<char*>(FormatOf(tensor.dtype())) : nullptr;
  view->ndim = tensor.shape().rank();
  view->shape = (flags & PyBUF_ND) != 0 ? exported->shape.data() : nullptr;
  view->strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? exported->strides.data() : nullptr;
  view->suboffsets = nullptr;
  view->internal = exported;
  return 0;
}

// What Python calls knows no C++ exceptions.
int GetBuffer(PyObject* object, Py_buffer* view, int flags) {
  view->obj = nullptr;
  try {
    return FillBuffer(object, view, flags);
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_BufferError, error.what());
    return -1;
  }
}

void ReleaseBuffer(PyObject*, Py_buffer* view) { delete static_cast<Exported*>(view->internal); }

}  // namespace

// pybind11's own way cannot fail with an exception.
void AddBufferProtocol(py::handle tensor_class) {
  auto* type = reinterpret_cast<PyHeapTypeObject*>(tensor_class.ptr());
  type->as_buffer.bf_getbuffer = GetBuffer;
  type->as_buffer.bf_releasebuffer = ReleaseBuffer;
  type->ht_type.tp_as_buffer = &type->as_buffer;
}

}  // namespace bitgate::python
