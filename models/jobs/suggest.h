// The known name that a mistyped one was probably meant to be.
#ifndef BITGATE_MODELS_JOBS_SUGGEST_H_
#define BITGATE_MODELS_JOBS_SUGGEST_H_

#include <string>
#include <vector>

namespace bitgate::jobs {

// The nearest of `known` by edit distance; empty if that is more than a third of the name's length (or two edits; one
// for a name of up to three letters). The last part of a dotted name, "epochs" of "training.epochs", counts as the
// name.
std::string Closest(const std::string& name, const std::vector<std::string>& known);

}  // namespace bitgate::jobs

#endif  // BITGATE_MODELS_JOBS_SUGGEST_H_
