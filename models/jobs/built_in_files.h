// The files of tools/recipes, put into the library when it is built.
#ifndef BITGATE_MODELS_JOBS_BUILT_IN_FILES_H_
#define BITGATE_MODELS_JOBS_BUILT_IN_FILES_H_

#include <vector>

namespace bitgate::jobs {

struct BuiltInFile {
  const char* name;  // without its ending
  const char* text;
};

// Sorted by name. Generated.
extern const std::vector<BuiltInFile> kBuiltInFiles;

}  // namespace bitgate::jobs

#endif  // BITGATE_MODELS_JOBS_BUILT_IN_FILES_H_
