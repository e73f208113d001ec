// Arithmetic and views of tensors, as operators and methods.
#include <pybind11/stl.h>

#include <string>
#include <vector>

#include "api/python/bindings/bindings.h"
#include "api/python/bindings/number.h"
#include "api/python/bindings/sessions.h"
#include "ops/elementwise/elementwise.h"
#include "ops/elementwise/reshape.h"
#include "ops/linalg/linalg.h"
#include "ops/reduce/reduce.h"
#include "runtime/base/error.h"
#include "runtime/tensor/copy.h"

namespace bitgate::python {

// An operand that is neither a tensor nor a number.
struct OtherOperand {
  pybind11::object value;
};

}  // namespace bitgate::python

// Only where nothing else fits, also after conversions.
template <>
struct pybind11::detail::type_caster<bitgate::python::OtherOperand> {
  PYBIND11_TYPE_CASTER(bitgate::python::OtherOperand, const_name("object"));
  bool load(handle source, bool convert) {
    value.value = reinterpret_borrow<object>(source);
    return convert;
  }
};

namespace bitgate::python {
namespace {

constexpr int64_t kProductWeight = 16;  // work of a matrix product for each element of its operands, roughly

// -- Arithmetic ------------------------------------------------------------------------------------

TensorHandle AddTensors(const TensorHandle& a, const TensorHandle& b) {
  return Apply(
      1, [](Context& context, const Tensor& x, const Tensor& y) { return Add(context, x, y); }, a, b);
}

TensorHandle ScaleBy(const TensorHandle& a, Number factor) {
  return Apply(
      1, [&](Context& context, const Tensor& x) { return Scale(context, x, static_cast<float>(factor.value)); }, a);
}

TensorHandle AddScalar(const TensorHandle& a, Number value) {
  return Apply(
      1,
      [&](Context& context, const Tensor& x) {
        const std::vector<float> values(static_cast<size_t>(x.size()), static_cast<float>(value.value));
        return Add(context, x, FromHost(context, values, x.shape()));
      },
      a);
}

TensorHandle Subtract(const TensorHandle& a, const TensorHandle& b) {
  return Apply(
      1, [](Context& context, const Tensor& x, const Tensor& y) { return Add(context, x, Scale(context, y, -1)); }, a,
      b);
}

TensorHandle Multiply(const TensorHandle& a, const TensorHandle& b) {
  return Apply(
      1, [](Context& context, const Tensor& x, const Tensor& y) { return Mul(context, x, y); }, a, b);
}

TensorHandle Divide(const TensorHandle& a, Number divisor) {
  if (divisor.value == 0) {
    PyErr_SetString(PyExc_ZeroDivisionError, "tensor: expected a divisor other than 0");
    throw py::error_already_set();
  }
  return ScaleBy(a, {1 / divisor.value});
}

TensorHandle Product(const TensorHandle& a, const TensorHandle& b) {
  return Apply(
      kProductWeight, [](Context& context, const Tensor& x, const Tensor& y) { return MatMul(context, x, y); }, a, b);
}

// -- Views -----------------------------------------------------------------------------------------

TensorHandle ReshapeTo(const TensorHandle& self, std::vector<int64_t> dims) {
  int64_t known = 1, unknown = -1;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] != -1) {
      if (__builtin_mul_overflow(known, dims[i], &known)) throw InvalidArgument("reshape: expected fewer elements");
    } else if (unknown >= 0) {
      throw InvalidArgument("reshape: expected at most one -1, got several");
    } else {
      unknown = static_cast<int64_t>(i);
    }
  }
  if (unknown >= 0 && known > 0) dims[unknown] = self->value.size() / known;
  const Shape shape(dims);
  return Apply(
      0, [&](Context& context, const Tensor& x) { return Reshape(context, x, shape); }, self);
}

// t.reshape(2, 3) and t.reshape([2, 3]).
TensorHandle ReshapeArgs(const TensorHandle& self, const py::args& args) {
  if (args.size() == 1 && !py::isinstance<py::int_>(args[0])) {
    return ReshapeTo(self, args[0].cast<std::vector<int64_t>>());
  }
  return ReshapeTo(self, args.cast<std::vector<int64_t>>());
}

// Elements [begin, end) along the first axis; a single index drops the axis.
TensorHandle Rows(const TensorHandle& self, int64_t begin, int64_t end, bool drop) {
  const Shape& shape = self->value.shape();
  const int64_t row = shape[0] == 0 ? 0 : shape.size() / shape[0];
  std::vector<int64_t> dims(shape.begin() + 1, shape.end());
  if (!drop) dims.insert(dims.begin(), end - begin);
  const Shape result(dims), flat({shape.size()});
  return Apply(
      0,
      [&](Context& context, const Tensor& x) {
        const Tensor elements = x.shape().rank() == 1 ? x : Reshape(context, x, flat);
        const Tensor slice = Slice(context, elements, begin * row, end * row);
        return result == slice.shape() ? slice : Reshape(context, slice, result);
      },
      self);
}

TensorHandle GetItem(const TensorHandle& self, const py::object& key);

py::type_error NoIndex(const py::object& key) {
  return py::type_error("tensor: expected an integer, a slice or a tuple of integers as the index, got " +
                        py::repr(key).cast<std::string>() + "; use numpy() for other selections");
}

TensorHandle GetIndex(const TensorHandle& self, const py::object& key) {
  const py::object integer = py::reinterpret_steal<py::object>(PyNumber_Index(key.ptr()));
  if (!integer) {
    PyErr_Clear();
    throw NoIndex(key);
  }
  const int64_t size = self->value.shape()[0], asked = integer.cast<int64_t>();
  const int64_t index = asked < 0 ? asked + size : asked;
  if (index < 0 || index >= size) {
    throw py::index_error("tensor: expected an index below " + std::to_string(size) + ", got " + std::to_string(asked));
  }
  return Rows(self, index, index + 1, /*drop=*/true);
}

// Leading indices, and at most a slice at the end.
TensorHandle GetTuple(TensorHandle tensor, const py::tuple& keys) {
  for (size_t i = 0; i < keys.size(); ++i) {
    if (i + 1 < keys.size() && PyIndex_Check(py::object(keys[i]).ptr()) == 0) {
      throw py::index_error("tensor: expected integers before the last index; use numpy() for other selections");
    }
    tensor = GetItem(tensor, keys[i]);
  }
  return tensor;
}

TensorHandle GetItem(const TensorHandle& self, const py::object& key) {
  if (py::isinstance<py::tuple>(key)) return GetTuple(self, key);
  if (self->value.shape().rank() == 0) throw py::index_error("tensor: expected dimensions to index, got a scalar");
  if (PyIndex_Check(key.ptr()) != 0) return GetIndex(self, key);
  if (!py::isinstance<py::slice>(key)) throw NoIndex(key);
  py::ssize_t begin = 0, end = 0, step = 0, length = 0;
  if (!py::reinterpret_borrow<py::slice>(key).compute(self->value.shape()[0], &begin, &end, &step, &length)) {
    throw py::error_already_set();
  }
  if (step != 1) throw py::index_error("tensor: expected a slice of step 1, got " + std::to_string(step));
  return Rows(self, begin, begin + length, /*drop=*/false);
}

// An array would take over and compute without recording.
py::object RefuseArray(const TensorHandle&, const OtherOperand& operand) {
  const py::object& other = operand.value;
  if (py::isinstance<api::Variable>(other)) {
    throw py::type_error("tensor: expected a number to divide by, got a tensor; no op divides by one");
  }
  if (PyObject_CheckBuffer(other.ptr()) != 0) {
    throw py::type_error("tensor: expected a tensor or a number as the other operand, got " +
                         py::str(py::type::of(other)).cast<std::string>() + "; bitgate.tensor() makes it one");
  }
  return py::reinterpret_borrow<py::object>(Py_NotImplemented);
}

void BindOperators(TensorClass& tensor) {
  tensor.def("__add__", AddTensors, py::is_operator(), py::arg("other").none(false));
  tensor.def("__add__", AddScalar, py::is_operator());
  tensor.def("__radd__", AddScalar, py::is_operator());
  tensor.def("__sub__", Subtract, py::is_operator(), py::arg("other").none(false));
  tensor.def(
      "__sub__", [](const TensorHandle& a, Number value) { return AddScalar(a, {-value.value}); }, py::is_operator());
  tensor.def(
      "__rsub__", [](const TensorHandle& a, Number value) { return AddScalar(ScaleBy(a, {-1}), value); },
      py::is_operator());
  tensor.def("__mul__", Multiply, py::is_operator(), py::arg("other").none(false));
  tensor.def("__mul__", ScaleBy, py::is_operator());
  tensor.def("__rmul__", ScaleBy, py::is_operator());
  tensor.def("__truediv__", Divide, py::is_operator());
  tensor.def(
      "__neg__", [](const TensorHandle& a) { return ScaleBy(a, {-1}); }, py::is_operator());
  tensor.def("__matmul__", Product, py::is_operator(), py::arg("other").none(false));
  for (const char* name : {"__add__", "__radd__", "__sub__", "__rsub__", "__mul__", "__rmul__", "__truediv__",
                           "__rtruediv__", "__matmul__", "__rmatmul__"}) {
    tensor.def(name, RefuseArray);
  }
}

}  // namespace

void BindTensorMath(TensorClass& tensor) {
  BindOperators(tensor);
  tensor.def("__getitem__", GetItem, py::arg("key"));
  tensor.def(
      "__iter__",
      [](const py::object& self) {
        if (py::cast<const api::Variable&>(self).value.shape().rank() == 0) {
          throw py::type_error("tensor: expected at least one dimension to go through, got a scalar");
        }
        py::list parts;
        for (py::ssize_t i = 0; i < static_cast<py::ssize_t>(py::len(self)); ++i) parts.append(self[py::int_(i)]);
        return py::iter(parts);
      },
      "Its parts along the first dimension.");
  tensor.def("reshape", ReshapeArgs, R"(The same elements under another shape, without a copy; one size may be -1.

reshape(2, 3) or reshape([2, 3]). Raises ValueError when the counts differ. Differentiable.)");
  tensor.def(
      "flatten", [](const TensorHandle& self) { return ReshapeTo(self, {-1}); },
      "All elements in one dimension, without a copy. (ops.flatten keeps the first dimension.) Differentiable.");
  tensor.def(
      "sum",
      [](const TensorHandle& self) {
        return Apply(
            1, [](Context& context, const Tensor& x) { return Sum(context, x); }, self);
      },
      "The sum of all elements, a scalar, accumulated in double. Differentiable.");
  tensor.def(
      "mean",
      [](const TensorHandle& self) {
        return Apply(
            1, [](Context& context, const Tensor& x) { return Mean(context, x); }, self);
      },
      "The mean of all elements, a scalar. Raises ValueError when there is none. Differentiable.");
  tensor.def(
      "relu",
      [](const TensorHandle& self) {
        return Apply(
            1, [](Context& context, const Tensor& x) { return Relu(context, x); }, self);
      },
      "max(x, 0) of each element. Differentiable.");
}

}  // namespace bitgate::python
