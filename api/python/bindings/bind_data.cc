// Data sets.
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "api/python/bindings/bindings.h"
#include "api/python/bindings/buffer.h"
#include "models/data/dataset.h"
#include "models/data/open.h"
#include "runtime/base/error.h"

namespace bitgate::python {
namespace {

Split SplitOf(const std::string& name) {
  if (name == "train") return Split::kTrain;
  if (name == "test") return Split::kTest;
  throw InvalidArgument("split: expected 'train' or 'test', got '", name, "'");
}

Dataset FromFolder(const std::filesystem::path& folder, const std::string& split, int classes) {
  const Entry entry;
  const Split which = SplitOf(split);
  const Unlocked unlocked;
  return OpenDataset(folder.string(), which, classes);
}

template <class T>
std::vector<T> Values(const Tensor& tensor) {
  const T* begin = tensor.data<T>();
  return std::vector<T>(begin, begin + tensor.size());
}

Dataset FromArrays(const py::object& images, const py::object& labels, int classes) {
  const Entry entry;
  const Tensor pixels = Borrowed("data set: images", images, /*read_only=*/true);
  const Tensor classes_of = Borrowed("data set: labels", labels, /*read_only=*/true);
  if (pixels.shape().rank() != 4) {
    throw InvalidArgument("data set: expected images [n, height, width, channels], got shape ", pixels.shape());
  }
  if (classes_of.shape() != Shape({pixels.shape()[0]})) {
    throw InvalidArgument("data set: expected labels of shape ", Shape({pixels.shape()[0]}), ", one for each image, ",
                          "got ", classes_of.shape());
  }
  const ImageShape shape{pixels.shape()[1], pixels.shape()[2], pixels.shape()[3]};
  const Unlocked unlocked;
  if (pixels.dtype() == DType::kUint8) {
    return Dataset::FromArrays(shape, Values<uint8_t>(pixels), Values<int32_t>(classes_of), classes);
  }
  return Dataset::FromArrays(shape, Values<float>(pixels), Values<int32_t>(classes_of), classes);
}

// Views that keep the data set.
TensorHandle View(const Dataset& dataset, const void* data, const Shape& shape, DType dtype) {
  return api::NewVariable(BorrowTensor(const_cast<void*>(data), shape, dtype, Device{}, [dataset] {}));
}

TensorHandle Images(const Dataset& dataset) {
  const ImageShape& image = dataset.image_shape();
  const Shape shape({dataset.size(), image.height, image.width, image.channels});
  return std::visit(
      [&](const auto& pixels) {
        using Pixel = typename std::decay_t<decltype(pixels)>::value_type;
        return View(dataset, pixels.data(), shape, bitgate::DTypeOf<Pixel>);
      },
      dataset.pixels());
}

TensorHandle Labels(const Dataset& dataset) {
  return View(dataset, dataset.labels().data(), Shape({dataset.size()}), DType::kInt32);
}

}  // namespace

void BindData(py::module_& m) {
  py::class_<Dataset>(m, "Dataset", "Labelled images in memory. Immutable. Use bitgate.Dataset.")
      .def_static("from_folder", FromFolder, py::arg("folder"), py::arg("split"), py::arg("classes"),
                  "The IDX or CIFAR files of a folder; \"\": Fashion-MNIST.")
      .def_static("from_arrays", FromArrays, py::arg("images"), py::arg("labels"), py::arg("classes"),
                  "Copies of buffers: uint8 or float32 [n, h, w, c], int32 [n].")
      .def_property_readonly("size", &Dataset::size, "Number of images.")
      .def_property_readonly(
          "image_shape",
          [](const Dataset& dataset) {
            const ImageShape& shape = dataset.image_shape();
            return py::make_tuple(shape.height, shape.width, shape.channels);
          },
          "(height, width, channels).")
      .def_property_readonly("classes", &Dataset::num_classes, "Number of classes.")
      .def_property_readonly("images", Images, "Its pixels, not to be written to.")
      .def_property_readonly("labels", Labels, "Its labels, not to be written to.");
}

}  // namespace bitgate::python
