#include "runtime/device/shared_library.h"

#include <dlfcn.h>

#include <cstdlib>
#include <sstream>
#include <utility>
#include <vector>

#include "runtime/base/error.h"

namespace bitgate {
namespace {

constexpr const char* kFolders = "BITGATE_CUDA_LIBRARIES";

std::vector<std::string> PathsToTry(const std::string& file) {
  std::vector<std::string> paths;
  if (const char* folders = std::getenv(kFolders)) {
    std::istringstream list(folders);
    for (std::string folder; std::getline(list, folder, ':');) {
      if (!folder.empty()) paths.push_back(folder + "/" + file);
    }
  }
  paths.push_back(file);
  const char* toolkit = std::getenv("CUDA_PATH");
  if (toolkit != nullptr && *toolkit != '\0') paths.push_back(std::string(toolkit) + "/lib64/" + file);
  paths.push_back("/usr/local/cuda/lib64/" + file);
  return paths;
}

std::string LoaderError() {
  const char* text = dlerror();
  return text == nullptr ? "unknown error" : text;
}

}  // namespace

SharedLibrary::SharedLibrary(std::string title, const std::string& file) : title_(std::move(title)) {
  std::string reasons;
  for (std::string& path : PathsToTry(file)) {
    handle_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle_ != nullptr) {
      path_ = std::move(path);
      return;
    }
    const std::string error = LoaderError();
    // The loader's text mostly begins with the path.
    reasons += (reasons.empty() ? "" : ", ") + (error.find(path) == std::string::npos ? path + ": " : "") + error;
  }
  throw UnsupportedDevice(title_, ": expected to find ", file, ", got ", reasons, "; install ", title_,
                          ", or name the folder that has it in LD_LIBRARY_PATH or ", kFolders);
}

void* SharedLibrary::Function(const char* name) const {
  void* function = dlsym(handle_, name);
  if (function == nullptr) {
    throw UnsupportedDevice(title_, ": expected a function ", name, ", got ", path_, " without it: ", LoaderError());
  }
  return function;
}

}  // namespace bitgate
