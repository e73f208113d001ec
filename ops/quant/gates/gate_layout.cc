#include "ops/quant/gates/gate_layout.h"

#include <utility>

#include "ops/quant/gates/gate_table.h"
#include "runtime/tensor/copy.h"

namespace bitgate {

GateLayout::GateLayout(std::vector<GateSite> sites, int64_t parameters)
    : sites(std::move(sites)), parameters(parameters) {}

int64_t GateLayout::values() const {
  int64_t count = 0;
  for (const GateSite& site : sites) count += site.channels + 4;
  return count;
}

std::vector<int64_t> GateLayout::value_offsets() const {
  std::vector<int64_t> offsets;
  int64_t offset = 0;
  for (const GateSite& site : sites) {
    offsets.push_back(offset);
    offset += site.channels + 4;
  }
  return offsets;
}

GateTables& GateTables::operator=(const GateTables&) {
  const std::lock_guard<std::mutex> lock(mutex_);
  tables_.clear();
  return *this;
}

Tensor GateLayout::Table(Context& context) const {
  const std::lock_guard<std::mutex> lock(tables_.mutex_);
  for (const Tensor& table : tables_.tables_) {
    if (table.device() == context.device()) return table;
  }
  const std::vector<int64_t> words = PackGateTable(*this);
  const size_t bytes = words.size() * sizeof(int64_t);
  // Of the device's pool, wherever the context takes memory from just now: the table outlives a captured step.
  const Tensor table(std::make_shared<Storage>(context.backend().pool(), bytes),
                     {static_cast<int64_t>(bytes / sizeof(int32_t))}, DType::kInt32);
  context.backend().CopyFromHost(table.raw_data(), words.data(), bytes);
  tables_.tables_.push_back(table);
  return table;
}

}  // namespace bitgate
