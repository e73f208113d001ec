#include "models/jobs/suggest.h"

#include <algorithm>
#include <numeric>

namespace bitgate::jobs {
namespace {

// Levenshtein distance: insertions, deletions and replacements.
size_t EditDistance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

std::string LastPart(const std::string& name) { return name.substr(name.rfind('.') + 1); }

}  // namespace

std::string Closest(const std::string& name, const std::vector<std::string>& known) {
  std::string best;
  size_t best_distance = (name.size() < 4 ? 1 : std::max<size_t>(name.size() / 3, 2)) + 1;
  for (const std::string& candidate : known) {
    size_t distance = EditDistance(name, candidate);
    if (name.find('.') == std::string::npos) distance = std::min(distance, EditDistance(name, LastPart(candidate)));
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace bitgate::jobs
