// The kernel libraries that this build calls.
#ifndef BITGATE_RUNTIME_DEVICE_LIBRARY_VERSIONS_H_
#define BITGATE_RUNTIME_DEVICE_LIBRARY_VERSIONS_H_

#include <map>
#include <string>

namespace bitgate {

// By name, as they are when running: {"oneDNN": "2.6.0"}. A build with CUDA adds "CUDA", its driver where there is one
// ("CUDA driver": the newest CUDA that it can run), and "cuDNN" and "cuBLASLt" once something has opened them.
std::map<std::string, std::string> LibraryVersions();

namespace cuda {
void AddLibraryVersions(std::map<std::string, std::string>* versions);
}

}  // namespace bitgate

#endif  // BITGATE_RUNTIME_DEVICE_LIBRARY_VERSIONS_H_
