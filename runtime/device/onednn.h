// oneDNN's engine and stream on the CPU. Included by kernels that call the library, and by nothing else.
#ifndef BITGATE_RUNTIME_DEVICE_ONEDNN_H_
#define BITGATE_RUNTIME_DEVICE_ONEDNN_H_

#include <dnnl.hpp>

#include "runtime/base/error.h"

namespace bitgate {

struct OneDnn {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
};

// Runs `body`; a dnnl::error becomes Internal("<what>: oneDNN: <message> (status)").
template <class Body>
auto CallOneDnn(const char* what, Body&& body) {
  try {
    return body();
  } catch (const dnnl::error& error) {
    throw Internal(what, ": oneDNN: ", error.what(), " (status ", static_cast<int>(error.status), ")");
  }
}

}  // namespace bitgate

#endif  // BITGATE_RUNTIME_DEVICE_ONEDNN_H_
