// The handles of the C interface: each holds a share of what it stands for, so that a handle may be freed before those
// that need it, and by a callback of the call that is using it.
#ifndef BITGATE_API_C_HANDLES_H_
#define BITGATE_API_C_HANDLES_H_

#include <memory>
#include <string>

#include "api/c/bitgate.h"
#include "api/c/guard.h"
#include "api/common/autograd.h"
#include "api/common/exclusive.h"
#include "api/common/model_core.h"
#include "models/data/dataset.h"
#include "models/graph/builder.h"
#include "models/graph/graph.h"
#include "models/jobs/config.h"
#include "models/nn/network.h"
#include "models/quantized/bit_report.h"

struct bg_context {
  std::shared_ptr<bitgate::api::Session> session;
};

struct bg_tensor {
  bitgate::api::VariablePtr variable;
};

struct bg_graph {
  std::shared_ptr<const bitgate::Graph> graph;
  std::string zoo;  // its name there; empty: a graph of the caller's own
};

struct bg_graph_builder {
  bitgate::api::Exclusive exclusive;
  bitgate::GraphBuilder builder;
};

struct bg_config {
  bitgate::api::Exclusive exclusive;
  bitgate::Config config;
};

struct bg_dataset {
  bitgate::Dataset dataset;
};

struct bg_bit_report {
  bitgate::BitReport report;
  std::string text, json;
};

struct bg_freeze_report {
  bitgate::FreezeReport report;
};

struct bg_requantize_report {
  bitgate::RequantizeReport report;
};

struct bg_model {
  std::shared_ptr<bitgate::api::ModelCore> core;
};

struct bg_trainer {
  std::shared_ptr<bitgate::api::TrainerCore> core;
};

namespace bitgate::c {

// In a forked child the threads that handles may wait for are not there: they are left alone.
template <class Handle>
void Free(Handle* handle) noexcept {
  if (!api::IsForkedChild()) delete handle;
}

// A handle to what an op returned.
inline bg_tensor* NewTensor(api::VariablePtr variable) { return new bg_tensor{std::move(variable)}; }

// An index of one of `count` things.
inline size_t CheckedIndex(const char* function, int64_t index, size_t count) {
  if (index >= 0 && static_cast<size_t>(index) < count) return static_cast<size_t>(index);
  throw InvalidArgument(function, ": expected an index of 0 to ", static_cast<int64_t>(count) - 1, ", got ", index);
}

// Checked sizes of a tensor.
inline Shape ShapeOf(const char* function, int32_t rank, const int64_t* dims) {
  if (rank < 0 || rank > Shape::kMaxRank) {
    throw InvalidArgument(function, ": expected a rank of 0 to ", Shape::kMaxRank, ", got ", rank);
  }
  if (rank > 0) Require(function, "dims", dims);
  return Shape(std::vector<int64_t>(dims, dims + rank));
}

}  // namespace bitgate::c

#endif  // BITGATE_API_C_HANDLES_H_
