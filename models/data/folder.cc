#include "models/data/folder.h"

#include <filesystem>
#include <system_error>

#include "runtime/base/error.h"

namespace bitgate {

void CheckFolder(const std::string& who, const std::string& contents, const std::string& folder) {
  std::error_code error;
  if (std::filesystem::is_directory(folder, error)) return;
  const bool exists = std::filesystem::exists(folder, error);
  throw NotFound(who, ": expected a folder with ", contents, ", got ", folder,
                 exists ? ", which is not a folder" : ", which does not exist");
}

std::string FindPlainOrGzip(const std::string& folder, const std::string& name) {
  for (const char* ending : {"", ".gz"}) {
    const std::filesystem::path path = std::filesystem::path(folder) / (name + ending);
    std::error_code error;
    if (std::filesystem::is_regular_file(path, error)) return path.string();
  }
  return "";
}

}  // namespace bitgate
