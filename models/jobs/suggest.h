// The known name that a mistyped one was probably meant to be.
#ifndef BITGATE_MODELS_JOBS_SUGGEST_H_
#define BITGATE_MODELS_JOBS_SUGGEST_H_

#include <string>
#include <vector>

namespace bitgate::jobs {

// The nearest of `known` by edit distance; empty if none is nearer than a third of the name's length (or one edit). A
// name that is the last part of a dotted one, "epochs" of "training.epochs", is as near as can be.
std::string Closest(const std::string& name, const std::vector<std::string>& known);

}  // namespace bitgate::jobs

#endif  // BITGATE_MODELS_JOBS_SUGGEST_H_
