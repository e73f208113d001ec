// A GateLayout as one block of memory, for kernels that a thread of which handles any site or parameter.
#ifndef BITGATE_OPS_QUANT_GATES_GATE_TABLE_H_
#define BITGATE_OPS_QUANT_GATES_GATE_TABLE_H_

#include <cstdint>
#include <vector>

#include "ops/quant/gates/gate_layout.h"

namespace bitgate {

struct GateRow {
  GateSite site;
  int64_t value_offset;  // of its first value
};

// Where the parts of a packed layout are. The values of parameter p are value_of[begin[p]] up to value_of[begin[p +
// 1]], in ascending order.
struct GateTable {
  const GateRow* rows;
  int64_t sites;
  const int64_t* begin;     // [parameters + 1]
  const int64_t* value_of;  // a closed or open level's value belongs to no parameter
  int64_t parameters;
  int64_t values;
  // The parameters that have not exactly one value.
  const int64_t* shared;
  const int64_t* shared_count;  // [1]: known where the table lies, not to who calls
};

// Of a layout whose offsets fit. At least kLeastTableWords.
std::vector<int64_t> PackGateTable(const GateLayout& layout);

// `data` is a copy of the packed `layout`, anywhere; it is not read.
GateTable GateTableAt(const void* data, const GateLayout& layout);

// 2 KB: of so much a capture takes no copy from the host (runtime/device/backend.h). What it takes it only queues, and
// the table would be kept for work that is done before.
constexpr size_t kLeastTableWords = 256;

}  // namespace bitgate

#endif  // BITGATE_OPS_QUANT_GATES_GATE_TABLE_H_
