#include "ops/quant/gates/gate_table.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

namespace bitgate {
namespace {

static_assert(std::is_trivially_copyable_v<GateRow> && sizeof(GateRow) % sizeof(int64_t) == 0, "packed as words");
constexpr int64_t kRowWords = sizeof(GateRow) / sizeof(int64_t);

// Calls body(value, parameter) for every value that has one, in order.
template <class Body>
void ForEachLearnedValue(const GateLayout& layout, const Body& body) {
  int64_t value = 0;
  for (const GateSite& site : layout.sites) {
    for (int64_t c = 0; c < site.channels; ++c) body(value++, site.channel_offset + c);
    for (const int64_t offset : site.level) {
      if (offset >= 0) body(value, offset);
      ++value;
    }
  }
}

void PackRows(const GateLayout& layout, int64_t* words) {
  int64_t value_offset = 0;
  for (const GateSite& site : layout.sites) {
    const GateRow row{site, value_offset};
    std::memcpy(words, &row, sizeof(row));
    words += kRowWords;
    value_offset += site.channels + 4;
  }
}

}  // namespace

GateTable GateTableAt(const void* data, const GateLayout& layout) {
  GateTable table;
  table.sites = static_cast<int64_t>(layout.sites.size());
  table.parameters = layout.parameters;
  table.values = layout.values();
  const int64_t* words = static_cast<const int64_t*>(data);
  table.rows = reinterpret_cast<const GateRow*>(words);
  table.begin = words + table.sites * kRowWords;
  table.value_of = table.begin + table.parameters + 1;
  table.shared_count = table.value_of + table.values;
  table.shared = table.shared_count + 1;
  return table;
}

std::vector<int64_t> PackGateTable(const GateLayout& layout) {
  const int64_t sites = static_cast<int64_t>(layout.sites.size()), parameters = layout.parameters;
  const int64_t begin = sites * kRowWords, value_of = begin + parameters + 1;
  const int64_t shared = value_of + layout.values() + 1;
  std::vector<int64_t> words(std::max(kLeastTableWords, static_cast<size_t>(shared + parameters)));
  PackRows(layout, words.data());
  int64_t* starts = words.data() + begin;
  ForEachLearnedValue(layout, [&](int64_t, int64_t parameter) { ++starts[parameter + 1]; });
  for (int64_t p = 0; p < parameters; ++p) {
    if (starts[p + 1] != 1) words[shared + words[shared - 1]++] = p;
    starts[p + 1] += starts[p];
  }
  std::vector<int64_t> next(starts, starts + parameters);
  ForEachLearnedValue(layout, [&](int64_t value, int64_t parameter) { words[value_of + next[parameter]++] = value; });
  return words;
}

}  // namespace bitgate
