// The kernel libraries that this build calls.
#ifndef BITGATE_RUNTIME_DEVICE_LIBRARY_VERSIONS_H_
#define BITGATE_RUNTIME_DEVICE_LIBRARY_VERSIONS_H_

#include <map>
#include <string>

namespace bitgate {

// By name, as they are when running: {"oneDNN": "2.6.0"}.
std::map<std::string, std::string> LibraryVersions();

}  // namespace bitgate

#endif  // BITGATE_RUNTIME_DEVICE_LIBRARY_VERSIONS_H_
