// Files in a folder of data.
#ifndef BITGATE_MODELS_DATA_FOLDER_H_
#define BITGATE_MODELS_DATA_FOLDER_H_

#include <string>

namespace bitgate {

// Throws NotFound, saying that `who` expected a folder with `contents`, unless `folder` is one.
void CheckFolder(const std::string& who, const std::string& contents, const std::string& folder);

// The path of `name` or `name`.gz in the folder, the first of them that is a file; empty if neither is.
std::string FindPlainOrGzip(const std::string& folder, const std::string& name);

}  // namespace bitgate

#endif  // BITGATE_MODELS_DATA_FOLDER_H_
