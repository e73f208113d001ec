// The library's errors as the exceptions that Python has for them, with the library's message.
#include <exception>

#include "api/common/exclusive.h"
#include "api/common/fork.h"
#include "api/python/bindings/bindings.h"
#include "runtime/base/error.h"

namespace bitgate::python {
namespace {

// Owned by the module, which lives as long as the process.
struct Exceptions {
  py::handle data, cancelled, busy, forked;
};

Exceptions& Ours() {
  static Exceptions& exceptions = *new Exceptions;
  return exceptions;
}

py::handle ClassOf(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kInvalidArgument:
      return PyExc_ValueError;
    case absl::StatusCode::kNotFound:
      return PyExc_FileNotFoundError;
    case absl::StatusCode::kDataLoss:
      return Ours().data;
    case absl::StatusCode::kUnimplemented:
      return PyExc_NotImplementedError;
    case absl::StatusCode::kUnavailable:
      return PyExc_OSError;
    case absl::StatusCode::kResourceExhausted:
      return PyExc_MemoryError;
    case absl::StatusCode::kCancelled:
      return Ours().cancelled;
    default:
      return PyExc_RuntimeError;
  }
}

// Messages may quote paths that are not UTF-8.
void Raise(py::handle type, const char* message) {
  PyObject* text = PyUnicode_DecodeUTF8(message, static_cast<Py_ssize_t>(strlen(message)), "backslashreplace");
  if (text == nullptr) return;
  PyErr_SetObject(type.ptr(), text);
  Py_DECREF(text);
}

void Translate(std::exception_ptr exception) {
  try {
    if (exception) std::rethrow_exception(exception);
  } catch (const Error& error) {
    Raise(ClassOf(error.code()), error.what());
  } catch (const py::cast_error&) {
    Raise(PyExc_TypeError, "bitgate: expected an argument of another type, or a smaller number");
  } catch (const Exiting&) {
    PyErr_SetNone(PyExc_SystemExit);
  } catch (const api::BusyError& error) {
    Raise(Ours().busy, error.what());
  } catch (const api::ForkedError& error) {
    Raise(Ours().forked, error.what());
  }
}

py::handle Define(py::module_& m, const char* name, PyObject* base, const char* doc) {
  const std::string full = std::string("bitgate.") + name;
  PyObject* type = PyErr_NewExceptionWithDoc(full.c_str(), doc, base, nullptr);
  if (type == nullptr) throw py::error_already_set();
  m.add_object(name, type);
  return type;
}

}  // namespace

void BindErrors(py::module_& m) {
  Ours().data = Define(m, "DataError", PyExc_ValueError,
                       "The bytes of a file are not what its format says: cut short, damaged, or no file of ours.");
  Ours().cancelled =
      Define(m, "Cancelled", PyExc_RuntimeError, "A callback of predict, logits or evaluate returned False.");
  Ours().busy = Define(m, "BusyError", PyExc_RuntimeError,
                       "A model or trainer is in use: by another thread, or by the call whose callback this is.");
  Ours().forked = Define(m, "ForkedError", PyExc_RuntimeError,
                         "This process was forked from one that had used the library. Start children with the method "
                         "\"spawn\", or fork before the first use.");
  py::register_local_exception_translator(Translate);
}

}  // namespace bitgate::python
