#include "models/data/open.h"

#include <filesystem>
#include <system_error>

#include "models/data/cifar.h"
#include "models/data/folder.h"
#include "models/data/idx.h"
#include "runtime/base/error.h"

namespace bitgate {

Dataset OpenDataset(const std::string& path, Split split, int num_classes) {
  if (path.empty()) return OpenFashionMnist(split, num_classes);
  CheckFolder("data", "IDX or CIFAR files", path);
  const bool idx = IsIdxFolder(path), cifar = IsCifarFolder(path);
  if (idx && cifar) throw InvalidArgument("data: expected IDX files or CIFAR files in ", path, ", got both");
  if (idx) return LoadIdx(path, split, num_classes);
  if (cifar) return LoadCifar(path, split, num_classes);
  throw NotFound(
      "data: expected the files of a data set in ", path,
      ": IDX (train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-...), CIFAR-10 (data_batch_1.bin, ..., ",
      "test_batch.bin, also in cifar-10-batches-bin) or CIFAR-100 (train.bin, test.bin, also in ",
      "cifar-100-binary), each also with .gz; got none of them");
}

Dataset OpenFashionMnist(Split split, int num_classes, const std::string& folder) {
  std::error_code error;
  if (!std::filesystem::is_directory(folder, error)) {
    throw NotFound(
        "data: no path given, so expected Fashion-MNIST in ", folder,
        ", got no such folder; install the Debian package dataset-fashion-mnist or name a folder of IDX files");
  }
  return LoadIdx(folder, split, num_classes);
}

}  // namespace bitgate
