// Recipes: configurations as text files, those that come with Bitgate by name.
#ifndef BITGATE_MODELS_JOBS_RECIPES_H_
#define BITGATE_MODELS_JOBS_RECIPES_H_

#include <string>
#include <vector>

#include "models/jobs/config.h"

namespace bitgate::jobs {

struct Recipe {
  std::string name;
  std::string summary;  // the first line of its comment
  std::string text;
};

// Those built into the library, sorted by name.
std::vector<Recipe> BuiltInRecipes();

// The recipe that is built in under this name, or else in the file of this path, with graph_file replaced by the graph
// it names (relative to the recipe's own place). Throws NotFound listing the built-in names, and what ParseConfig and
// Graph::FromText throw.
Config LoadRecipe(const std::string& name_or_path);

}  // namespace bitgate::jobs

#endif  // BITGATE_MODELS_JOBS_RECIPES_H_
