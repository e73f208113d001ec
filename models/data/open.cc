#include "models/data/open.h"

#include <filesystem>
#include <system_error>

#include "models/data/idx.h"
#include "runtime/base/error.h"

namespace bitgate {

Dataset OpenDataset(const std::string& path, Split split, int num_classes) {
  return path.empty() ? OpenFashionMnist(split, num_classes) : LoadIdx(path, split, num_classes);
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
