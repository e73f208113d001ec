#include "api/c/handles.h"
#include "api/common/devices.h"
#include "runtime/tensor/copy.h"

namespace bitgate::c {
namespace {

static_assert(BG_FLOAT32 == static_cast<int>(DType::kFloat32) && BG_INT32 == static_cast<int>(DType::kInt32) &&
              BG_INT8 == static_cast<int>(DType::kInt8) && BG_UINT8 == static_cast<int>(DType::kUint8));

DType CheckedDType(const char* function, const bg_dtype& dtype) {
  switch (NumberOf(dtype)) {
    case BG_FLOAT32:
      return DType::kFloat32;
    case BG_INT32:
      return DType::kInt32;
    case BG_INT8:
      return DType::kInt8;
    case BG_UINT8:
      return DType::kUint8;
  }
  throw InvalidArgument(function, ": expected a bg_dtype, got ", NumberOf(dtype));
}

size_t BytesOf(const Tensor& tensor) { return static_cast<size_t>(tensor.size()) * SizeOf(tensor.dtype()); }

// The tensor, if `bytes` is its size.
Tensor Checked(const char* function, const Tensor& tensor, size_t bytes, const void* data) {
  if (bytes != BytesOf(tensor)) {
    throw InvalidArgument(function, ": expected the ", BytesOf(tensor), " bytes of ", ToString(tensor.dtype()),
                          tensor.shape(), ", got ", bytes);
  }
  if (bytes > 0) Require(function, "data", data);
  return tensor;
}

bg_tensor* NewConstant(const Tensor& tensor) { return NewTensor(api::NewVariable(tensor)); }

// Calls `body` with the variable, held.
template <class Body>
bg_status WithVariable(const char* function, bg_tensor* tensor, const Body& body) {
  return Guard([&] {
    const api::VariablePtr variable = Require(function, "tensor", tensor).variable;
    const api::Hold hold(function, {&variable->exclusive});
    body(*variable);
  });
}

}  // namespace
}  // namespace bitgate::c

using bitgate::Tensor;
using bitgate::api::Hold;
using bitgate::api::Session;
using bitgate::api::Variable;
using bitgate::c::Guard;
using bitgate::c::Keep;
using bitgate::c::Require;
using bitgate::c::WithVariable;

bg_status bg_tensor_create(bg_context* context, bg_dtype dtype, int32_t rank, const int64_t* dims, const void* data,
                           bg_tensor** out) {
  return Guard([&] {
    constexpr char kName[] = "bg_tensor_create";
    const std::shared_ptr<Session> session = Require(kName, "context", context).session;
    const Hold hold(kName, {&session->exclusive});
    Require(kName, "out", out);
    const bitgate::DType type = bitgate::c::CheckedDType(kName, dtype);
    const bitgate::Shape shape = bitgate::c::ShapeOf(kName, rank, dims);
    *out = bitgate::c::NewConstant(data == nullptr ? bitgate::Zeros(session->context(), shape, type)
                                                   : bitgate::FromHostBytes(session->context(), data, shape, type));
  });
}

bg_status bg_tensor_borrow(bg_context* context, bg_dtype dtype, int32_t rank, const int64_t* dims, void* data,
                           void (*release)(void* user_data), void* user_data, bg_tensor** out) {
  return Guard([&] {
    constexpr char kName[] = "bg_tensor_borrow";
    const std::shared_ptr<Session> session = Require(kName, "context", context).session;
    const Hold hold(kName, {&session->exclusive});
    Require(kName, "out", out);
    const bitgate::DType type = bitgate::c::CheckedDType(kName, dtype);
    const bitgate::Shape shape = bitgate::c::ShapeOf(kName, rank, dims);
    if (shape.size() > 0) Require(kName, "data", data);
    if (session->context().device() != bitgate::Device{}) {
      throw bitgate::InvalidArgument(kName, ": expected a context on the cpu, got one on ",
                                     ToString(session->context().device()));
    }
    if (reinterpret_cast<uintptr_t>(data) % SizeOf(type) != 0) {
      throw bitgate::InvalidArgument(kName, ": expected data aligned to ", SizeOf(type), " bytes, got ", data);
    }
    // Armed last, so that `release` is not called when something here fails.
    const auto armed = std::make_shared<bool>(false);
    const Tensor tensor = bitgate::BorrowTensor(data, shape, type, {}, [release, user_data, armed] {
      if (release != nullptr && *armed) release(user_data);
    });
    *out = bitgate::c::NewConstant(tensor);
    *armed = true;
  });
}

bg_status bg_tensor_create_alias(bg_tensor* tensor, bg_tensor** out) {
  return WithVariable("bg_tensor_create_alias", tensor, [&](Variable& variable) {
    Require("bg_tensor_create_alias", "out", out);
    *out = bitgate::c::NewConstant(variable.value.Detached());
  });
}

void bg_tensor_free(bg_tensor* tensor) { bitgate::c::Free(tensor); }

bg_status bg_tensor_dtype(bg_tensor* tensor, bg_dtype* dtype) {
  return WithVariable("bg_tensor_dtype", tensor, [&](Variable& variable) {
    Require("bg_tensor_dtype", "dtype", dtype) = static_cast<bg_dtype>(variable.value.dtype());
  });
}

bg_status bg_tensor_rank(bg_tensor* tensor, int32_t* rank) {
  return WithVariable("bg_tensor_rank", tensor, [&](Variable& variable) {
    Require("bg_tensor_rank", "rank", rank) = variable.value.shape().rank();
  });
}

bg_status bg_tensor_shape(bg_tensor* tensor, int32_t capacity, int64_t* dims) {
  return WithVariable("bg_tensor_shape", tensor, [&](Variable& variable) {
    const bitgate::Shape& shape = variable.value.shape();
    if (capacity < shape.rank()) {
      throw bitgate::InvalidArgument("bg_tensor_shape: expected room for ", shape.rank(), " sizes, got ", capacity);
    }
    if (shape.rank() > 0) std::copy(shape.begin(), shape.end(), &Require("bg_tensor_shape", "dims", dims));
  });
}

bg_status bg_tensor_size(bg_tensor* tensor, int64_t* size) {
  return WithVariable("bg_tensor_size", tensor,
                      [&](Variable& variable) { Require("bg_tensor_size", "size", size) = variable.value.size(); });
}

bg_status bg_tensor_device(bg_tensor* tensor, const char** device) {
  return WithVariable("bg_tensor_device", tensor, [&](Variable& variable) {
    Require("bg_tensor_device", "device", device) = Keep(ToString(variable.value.device()));
  });
}

bg_status bg_tensor_data(bg_tensor* tensor, void** data) {
  return WithVariable("bg_tensor_data", tensor, [&](Variable& variable) {
    Require("bg_tensor_data", "data", data);
    if (variable.value.device() != bitgate::Device{}) {
      throw bitgate::InvalidArgument("bg_tensor_data: expected a tensor on the cpu, got one on ",
                                     ToString(variable.value.device()), "; use bg_tensor_copy_to");
    }
    *data = variable.value.raw_data();
  });
}

bg_status bg_tensor_copy_to(bg_tensor* tensor, void* data, size_t bytes) {
  return WithVariable("bg_tensor_copy_to", tensor, [&](Variable& variable) {
    bitgate::api::CopyToHost(data, bitgate::c::Checked("bg_tensor_copy_to", variable.value, bytes, data));
  });
}

bg_status bg_tensor_copy_from(bg_tensor* tensor, const void* data, size_t bytes) {
  return WithVariable("bg_tensor_copy_from", tensor, [&](Variable& variable) {
    bitgate::api::CopyFromHost(bitgate::c::Checked("bg_tensor_copy_from", variable.value, bytes, data), data);
  });
}

bg_status bg_tensor_set_requires_grad(bg_tensor* tensor, int32_t requires_grad) {
  return WithVariable("bg_tensor_set_requires_grad", tensor, [&](Variable& variable) {
    if (requires_grad != 0 && (variable.recorded != nullptr || variable.value.dtype() != bitgate::DType::kFloat32)) {
      throw bitgate::InvalidArgument(
          "bg_tensor_set_requires_grad: expected a float32 tensor that no recorded op has computed, got ",
          variable.recorded != nullptr ? "the result of one" : ToString(variable.value.dtype()));
    }
    variable.requires_grad = requires_grad != 0;
  });
}

bg_status bg_tensor_requires_grad(bg_tensor* tensor, int32_t* requires_grad) {
  return WithVariable("bg_tensor_requires_grad", tensor, [&](Variable& variable) {
    Require("bg_tensor_requires_grad", "requires_grad", requires_grad) = variable.requires_grad ? 1 : 0;
  });
}

bg_status bg_tensor_gradient(bg_tensor* tensor, bg_tensor** out) {
  return WithVariable("bg_tensor_gradient", tensor, [&](Variable& variable) {
    Require("bg_tensor_gradient", "out", out);
    *out = variable.gradient.defined() ? bitgate::c::NewConstant(variable.gradient) : nullptr;
  });
}

bg_status bg_tensor_clear_gradient(bg_tensor* tensor) {
  return WithVariable("bg_tensor_clear_gradient", tensor,
                      [&](Variable& variable) { variable.gradient = bitgate::Tensor(); });
}
