// Libraries that are opened when something needs them first, instead of being linked: programs start without them.
// They are CUDA's, so that folders are searched where these may lie.
#ifndef BITGATE_RUNTIME_DEVICE_SHARED_LIBRARY_H_
#define BITGATE_RUNTIME_DEVICE_SHARED_LIBRARY_H_

#include <string>

namespace bitgate {

// Stays open to the end of the program.
class SharedLibrary {
 public:
  // Opens the first `file` ("libcudnn.so.9") that opens: in the folders of the environment variable
  // BITGATE_CUDA_LIBRARIES (separated by colons), where the system's loader looks (LD_LIBRARY_PATH), in
  // $CUDA_PATH/lib64, in /usr/local/cuda/lib64. Throws UnsupportedDevice when none does: the message names `title`
  // ("cuDNN 9"), what was tried, with the loader's reasons, and how to make it found.
  SharedLibrary(std::string title, const std::string& file);

  // Where a function of the library is. Throws UnsupportedDevice when it has none of that name.
  void* Function(const char* name) const;

 private:
  std::string title_, path_;
  void* handle_ = nullptr;
};

}  // namespace bitgate

#endif  // BITGATE_RUNTIME_DEVICE_SHARED_LIBRARY_H_
