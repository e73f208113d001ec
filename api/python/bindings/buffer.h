// Arrays of others as tensors and tensors as arrays, by Python's buffer protocol: NumPy arrays, memoryviews,
// array.array. (Not by NumPy's C interface, which would tie the module to a version of it.)
#ifndef BITGATE_API_PYTHON_BINDINGS_BUFFER_H_
#define BITGATE_API_PYTHON_BINDINGS_BUFFER_H_

#include <pybind11/pybind11.h>

#include "runtime/tensor/tensor.h"

namespace bitgate::python {

namespace py = pybind11;

// A tensor on the cpu in the array's own memory, which is kept until the last view of it goes. `array` is C-contiguous,
// aligned, of a dtype that tensors have, and writable unless `read_only` is fine; anything else is InvalidArgument,
// naming `where`. What has no buffer is a TypeError.
Tensor Borrowed(const char* where, const py::object& array, bool read_only = false);

// Makes tensors of this class show their memory as buffers.
void AddBufferProtocol(py::handle tensor_class);

}  // namespace bitgate::python

#endif  // BITGATE_API_PYTHON_BINDINGS_BUFFER_H_
