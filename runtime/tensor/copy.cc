#include "runtime/tensor/copy.h"

#include <cstring>

#include "runtime/base/error.h"

namespace bitgate {
namespace {

size_t Bytes(const Tensor& tensor) { return static_cast<size_t>(tensor.size()) * SizeOf(tensor.dtype()); }

// Copies the innermost axis element by element and recurses over the others.
void GatherStrided(std::byte*& target, const std::byte* source, const Tensor& tensor, int axis, size_t element) {
  if (axis == tensor.shape().rank()) {
    std::memcpy(target, source, element);
    target += element;
    return;
  }
  for (int64_t i = 0; i < tensor.shape()[axis]; ++i) {
    GatherStrided(target, source + i * tensor.strides()[axis] * static_cast<int64_t>(element), tensor, axis + 1,
                  element);
  }
}

// Views are made at the edges (loading, exporting, tests), so a strided copy goes through the host on every device.
Tensor GatherThroughHost(Context& context, const Tensor& tensor) {
  const size_t element = SizeOf(tensor.dtype());
  const auto& storage = tensor.storage();
  std::vector<std::byte> all(storage->bytes());
  context.backend().CopyToHost(all.data(), storage->data(), all.size());
  std::vector<std::byte> packed(Bytes(tensor));
  std::byte* target = packed.data();
  GatherStrided(target, all.data() + tensor.offset() * static_cast<int64_t>(element), tensor, 0, element);
  return FromHostBytes(context, packed.data(), tensor.shape(), tensor.dtype());
}

}  // namespace

Tensor Empty(Context& context, const Shape& shape, DType dtype) {
  const size_t bytes = static_cast<size_t>(shape.size()) * SizeOf(dtype);
  return Tensor(std::make_shared<Storage>(context.pool(), bytes), shape, dtype);
}

Tensor Zeros(Context& context, const Shape& shape, DType dtype) {
  Tensor tensor = Empty(context, shape, dtype);
  context.backend().FillZero(tensor.raw_data(), Bytes(tensor));
  return tensor;
}

Tensor FromHostBytes(Context& context, const void* data, const Shape& shape, DType dtype) {
  Tensor tensor = Empty(context, shape, dtype);
  context.backend().CopyFromHost(tensor.raw_data(), data, Bytes(tensor));
  return tensor;
}

template <class T>
Tensor FromHost(Context& context, const std::vector<T>& values, const Shape& shape) {
  if (static_cast<int64_t>(values.size()) != shape.size()) {
    throw InvalidArgument("tensor: expected ", shape.size(), " values for shape ", shape, ", got ", values.size());
  }
  return FromHostBytes(context, values.data(), shape, DTypeOf<T>);
}

template <class T>
std::vector<T> ToHost(Context& context, const Tensor& tensor) {
  const Tensor packed = Contiguous(context, tensor);
  std::vector<T> values(static_cast<size_t>(packed.size()));
  context.backend().CopyToHost(values.data(), packed.data<T>(), Bytes(packed));
  return values;
}

template Tensor FromHost<float>(Context&, const std::vector<float>&, const Shape&);
template Tensor FromHost<int32_t>(Context&, const std::vector<int32_t>&, const Shape&);
template Tensor FromHost<int8_t>(Context&, const std::vector<int8_t>&, const Shape&);
template Tensor FromHost<uint8_t>(Context&, const std::vector<uint8_t>&, const Shape&);
template std::vector<float> ToHost<float>(Context&, const Tensor&);
template std::vector<int32_t> ToHost<int32_t>(Context&, const Tensor&);
template std::vector<int8_t> ToHost<int8_t>(Context&, const Tensor&);
template std::vector<uint8_t> ToHost<uint8_t>(Context&, const Tensor&);

Tensor Contiguous(Context& context, const Tensor& tensor) {
  if (tensor.contiguous()) return tensor;
  return GatherThroughHost(context, tensor);
}

Tensor Clone(Context& context, const Tensor& tensor) {
  if (!tensor.contiguous()) return GatherThroughHost(context, tensor);
  Tensor copy = Empty(context, tensor.shape(), tensor.dtype());
  context.backend().CopyWithin(copy.raw_data(), tensor.raw_data(), Bytes(tensor));
  return copy;
}

void CopyInto(Context& context, const Tensor& target, const Tensor& source) {
  if (target.shape() != source.shape() || target.dtype() != source.dtype()) {
    throw InvalidArgument("copy: expected ", ToString(target.dtype()), target.shape(), ", got ",
                          ToString(source.dtype()), source.shape());
  }
  context.backend().CopyWithin(target.view().data, source.view().data, Bytes(target));
}

}  // namespace bitgate
