#include <pybind11/stl.h>

#include <array>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "api/common/devices.h"
#include "api/python/bindings/bindings.h"
#include "api/python/bindings/buffer.h"
#include "api/python/bindings/sessions.h"
#include "ops/elementwise/elementwise.h"
#include "runtime/base/error.h"
#include "runtime/tensor/copy.h"

namespace bitgate::python {
namespace {

// -- What it is ------------------------------------------------------------------------------------

py::tuple ShapeTuple(const api::Variable& self) {
  const Shape& shape = self.value.shape();
  py::tuple result(shape.rank());
  for (int axis = 0; axis < shape.rank(); ++axis) result[axis] = shape[axis];
  return result;
}

// numpy.dtype objects, which compare equal to their names.
py::object NumpyDType(const api::Variable& self) {
  static std::array<py::handle, 4>& known = *new std::array<py::handle, 4>;
  py::handle& dtype = known.at(static_cast<size_t>(self.value.dtype()));
  if (!dtype) dtype = py::module_::import("numpy").attr("dtype")(ToString(self.value.dtype())).release();
  return py::reinterpret_borrow<py::object>(dtype);
}

bool OnCpu(const Tensor& tensor) { return tensor.device() == Device{}; }

py::object Numpy(const py::object& self) {
  static py::handle as_array;
  if (!as_array) as_array = py::object(py::module_::import("numpy").attr("asarray")).release();
  Tensor tensor = self.cast<const api::Variable&>().value;
  if (OnCpu(tensor)) return as_array(self);
  const Entry entry;
  {
    const Unlocked unlocked;  // however little there is to copy: it waits for all that is queued
    tensor = api::OnHost(tensor);
  }
  return as_array(py::cast(TensorHandle(api::NewVariable(tensor))));
}

py::object AsArray(const py::object& self, const py::object& dtype, const py::object& copy) {
  const bool may_not_copy = !copy.is_none() && !copy.cast<bool>();
  const Device device = self.cast<const api::Variable&>().value.device();
  const bool elsewhere = device != Device{};
  if (elsewhere && may_not_copy) {
    throw py::value_error("tensor: expected copy=True or None for a tensor on " + ToString(device) + ", got False");
  }
  py::object array = Numpy(self);
  const bool convert = !dtype.is_none() && !py::object(array.attr("dtype")).equal(dtype);
  if (convert && may_not_copy) throw py::value_error("tensor: expected copy=True or None for another dtype, got False");
  if (convert) return array.attr("astype")(dtype);
  return !elsewhere && !copy.is_none() && copy.cast<bool>() ? py::object(array.attr("copy")()) : array;
}

bool HasHistory(const api::Variable& self) { return self.requires_grad || self.recorded != nullptr; }

py::object Item(const py::object& self) {
  const Tensor& tensor = self.cast<const api::Variable&>().value;
  if (tensor.size() != 1) {
    throw InvalidArgument("item: expected a tensor of one element, got shape ", tensor.shape());
  }
  return Numpy(self).attr("item")();
}

int64_t Length(const api::Variable& self) {
  if (self.value.shape().rank() == 0) throw py::type_error("tensor: expected dimensions to count, got a scalar");
  return self.value.shape()[0];
}

std::string Repr(const py::object& self) {
  const auto& variable = self.cast<const api::Variable&>();
  std::ostringstream out;
  const py::object text = py::module_::import("numpy").attr("array2string")(Numpy(self), py::arg("separator") = ", ",
                                                                            py::arg("prefix") = "tensor(");
  out << "tensor(" << py::str(text).cast<std::string>() << ", dtype=" << ToString(variable.value.dtype());
  if (!OnCpu(variable.value)) out << ", device='" << ToString(variable.value.device()) << "'";
  if (variable.requires_grad) out << ", requires_grad=True";
  if (variable.recorded != nullptr) out << ", recorded";
  out << ")";
  return out.str();
}

// -- New tensors -----------------------------------------------------------------------------------

void SetRequiresGrad(api::Variable& self, bool requires_grad) {
  if (requires_grad && self.value.dtype() != DType::kFloat32) {
    throw InvalidArgument("requires_grad: expected dtype float32, got ", ToString(self.value.dtype()));
  }
  if (self.recorded != nullptr) {
    throw FailedPrecondition("requires_grad: expected a tensor that no op has recorded, got a result; detach() it");
  }
  self.requires_grad = requires_grad;
}

TensorHandle CopyOf(const py::object& array, bool requires_grad, const std::string& device) {
  const Entry entry;
  const Tensor borrowed = Borrowed("tensor", array, /*read_only=*/true);
  Context& context = SessionOn(ParseDevice(device)).context();
  TensorHandle tensor;
  {
    const Unlocked unlocked(borrowed.size() > kLongWork);
    tensor = api::NewVariable(FromHostBytes(context, borrowed.raw_data(), borrowed.shape(), borrowed.dtype()));
  }
  SetRequiresGrad(*tensor, requires_grad);
  return tensor;
}

TensorHandle FromArray(const py::object& array) {
  const Entry entry;
  return api::NewVariable(Borrowed("from_numpy", array));
}

TensorHandle Detach(const api::Variable& self) { return api::NewVariable(self.value.Detached()); }

TensorHandle CloneOf(const TensorHandle& self) {
  const bool differentiable = self->value.dtype() == DType::kFloat32;
  return Apply(
      1, [&](Context& context, const Tensor& x) { return differentiable ? Scale(context, x, 1) : Clone(context, x); },
      self);
}

// -- Autograd --------------------------------------------------------------------------------------

void Backward(const TensorHandle& loss) {
  const Entry entry;
  api::Session& session = SessionOn(loss->value.device());
  std::optional<Unlocked> unlocked(std::in_place);
  session.Backward(*loss, [&] { unlocked.reset(); });  // threads may share leaves: their gradients need the lock
}

py::object Gradient(const api::Variable& self) {
  return self.gradient.defined() ? py::cast(api::NewVariable(self.gradient)) : py::none();
}

void SetGradient(api::Variable& self, const py::object& gradient) {
  if (gradient.is_none()) {
    self.gradient = Tensor();
    return;
  }
  const Tensor value = gradient.cast<const api::Variable&>().value.Detached();
  if (value.shape() != self.value.shape() || value.dtype() != DType::kFloat32) {
    throw InvalidArgument("grad: expected float32 of shape ", self.value.shape(), ", got ", ToString(value.dtype()),
                          " of shape ", value.shape());
  }
  if (value.device() != self.value.device()) {
    throw InvalidArgument("grad: expected it on ", ToString(self.value.device()), ", where the tensor is, got it on ",
                          ToString(value.device()));
  }
  self.gradient = value;
}

void BindValues(TensorClass& tensor) {
  tensor.def("numpy", Numpy, R"(The elements as a numpy.ndarray, without a copy: both see what the other writes.

Of a tensor on a GPU it is a copy, made when what is queued there is done. So it is for all that shows elements: item(),
tolist(), float(), repr(), numpy.asarray().)");
  tensor.def("__array__", AsArray, py::arg("dtype") = py::none(), py::arg("copy") = py::none());
  tensor.def("item", Item, "The only element as a Python number. Raises ValueError unless there is exactly one.");
  tensor.def(
      "tolist", [](const py::object& self) { return Numpy(self).attr("tolist")(); },
      "The elements as nested lists of Python numbers.");
  tensor.def("__float__", [](const py::object& self) { return py::float_(Item(self)); });
  tensor.def("__int__", [](const py::object& self) { return py::int_(Item(self)); });
  tensor.def("__bool__", [](const py::object& self) { return Item(self).cast<double>() != 0; });
  tensor.def("clone", CloneOf, "A copy in memory of its own. Differentiable.");
  tensor.def("detach", Detach, "The same memory as a tensor without history.");
}

void BindAutograd(TensorClass& tensor) {
  tensor.def_property("requires_grad", HasHistory, SetRequiresGrad,
                      "Whether backward() reaches it: a leaf that was made so, or the result of a recorded op.");
  tensor.def_property_readonly(
      "is_leaf", [](const api::Variable& self) { return self.recorded == nullptr; },
      "Whether it is no result of a recorded op.");
  tensor.def(
      "requires_grad_",
      [](const TensorHandle& self, bool requires_grad) {
        SetRequiresGrad(*self, requires_grad);
        return self;
      },
      py::arg("requires_grad") = true, R"(Makes it a leaf whose grad backward() adds to; returns itself.

Raises ValueError for another dtype than float32, RuntimeError for the result of a recorded op.)");
  tensor.def_property("grad", Gradient, SetGradient,
                      "d loss / d self, summed over calls of backward(); None before the first, and when set to None.");
  tensor.def(
      "zero_grad", [](api::Variable& self) { self.gradient = Tensor(); }, "Sets grad to None.");
  tensor.def("backward", Backward, R"(Adds d self / d leaf to the grad of every leaf that it was computed from.

self has one element and was computed, in this thread, since its last backward(); else ValueError. What was recorded is
forgotten.)");
}

}  // namespace

TensorClass BindTensor(py::module_& m) {
  TensorClass tensor(m, "Tensor", py::buffer_protocol(), R"(An array on a device that ops compute with and record.

Made by tensor(), from_numpy(), from_dlpack() and by ops. Up to 6 dimensions, row-major; float32 (what ops compute
with), int32, int8 or uint8. Operators are ops: + - * @ and / by a number, of operands of equal shape (nothing is broadcast).
Ops on a tensor that requires a gradient are recorded, in each thread by itself, until backward() or until nothing holds
their results any more; under no_grad() they are not. What was computed before a backward() is a constant after it.
Comparison with == is identity; compare values with numpy().)");
  tensor.def_property_readonly("shape", ShapeTuple, "Sizes of the dimensions, outermost first.");
  tensor.def_property_readonly("dtype", NumpyDType, "A numpy.dtype: float32, int32, int8 or uint8.");
  tensor.def_property_readonly(
      "device", [](const api::Variable& self) { return ToString(self.value.device()); },
      "\"cpu\" or \"cuda:<index>\".");
  tensor.def_property_readonly(
      "ndim", [](const api::Variable& self) { return self.value.shape().rank(); }, "Number of dimensions.");
  tensor.def_property_readonly(
      "size", [](const api::Variable& self) { return self.value.size(); }, "Number of elements.");
  tensor.def("__len__", Length);
  tensor.def("__repr__", Repr);
  BindValues(tensor);
  BindAutograd(tensor);
  BindTensorMath(tensor);
  AddBufferProtocol(tensor);
  tensor.attr("__array_priority__") = 1000.0;  // operators with arrays are refused, not NumPy's to compute
  m.def("copy_of", CopyOf, py::arg("array"), py::arg("requires_grad"), py::arg("device"),
        "A tensor with a copy of a C-contiguous buffer.");
  m.def("from_buffer", FromArray, py::arg("array"), "A tensor in the memory of a writable C-contiguous buffer.");
  m.def("set_compute", SetCompute, py::arg("compute"), py::arg("device"),
        "How ops of this thread on the device compute products and convolutions.");
  m.def("get_compute", GetCompute, py::arg("device"), "What set_compute said in this thread.");
  m.def("set_recording", SetRecording, py::arg("recording"),
        "Whether ops of this thread record; returns whether they did.");
  m.def("is_recording", IsRecording, "Whether ops of this thread record.");
  return tensor;
}

}  // namespace bitgate::python
