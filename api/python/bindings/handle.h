// How Python objects hold the library's: shared, and left alone in a forked child, where waiting for threads would be
// for ever.
#ifndef BITGATE_API_PYTHON_BINDINGS_HANDLE_H_
#define BITGATE_API_PYTHON_BINDINGS_HANDLE_H_

#include <pybind11/pybind11.h>

#include <memory>
#include <utility>

#include "api/common/autograd.h"
#include "api/common/fork.h"
#include "api/common/model_core.h"
#include "api/python/bindings/gil.h"

namespace bitgate::python {

// With Python's lock.
template <class T>
class Handle {
 public:
  Handle() = default;
  explicit Handle(T* pointer) : pointer_(pointer) {}
  Handle(std::shared_ptr<T> pointer) : pointer_(std::move(pointer)) {}  // implicit: what functions return
  Handle(const Handle&) = default;
  Handle(Handle&&) noexcept = default;
  Handle& operator=(const Handle&) = default;
  Handle& operator=(Handle&&) noexcept = default;
  ~Handle() {
    if (pointer_ == nullptr) return;
    if (api::IsForkedChild()) {
      new std::shared_ptr<T>(std::move(pointer_));
    } else {
      pointer_.reset();
      RunAnyDeferred();
    }
  }

  T* get() const { return pointer_.get(); }
  T* operator->() const { return pointer_.get(); }
  T& operator*() const { return *pointer_; }
  const std::shared_ptr<T>& shared() const { return pointer_; }

 private:
  std::shared_ptr<T> pointer_;
};

using TensorHandle = Handle<api::Variable>;
using ModelHandle = Handle<api::ModelCore>;
using TrainerHandle = Handle<api::TrainerCore>;

}  // namespace bitgate::python

PYBIND11_DECLARE_HOLDER_TYPE(T, bitgate::python::Handle<T>)

#endif  // BITGATE_API_PYTHON_BINDINGS_HANDLE_H_
