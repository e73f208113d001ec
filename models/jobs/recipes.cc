#include "models/jobs/recipes.h"

#include <filesystem>
#include <functional>

#include "absl/strings/str_join.h"
#include "models/jobs/built_in_files.h"
#include "models/jobs/suggest.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"

namespace bitgate::jobs {
namespace {

constexpr uint64_t kMaxFileBytes = uint64_t{16} << 20;
constexpr char kEnding[] = ".textproto";

// Files that are no recipe but used by one end so.
bool IsGraphFile(const std::string& name) {
  const std::string ending = "_graph";
  return name.size() > ending.size() && name.compare(name.size() - ending.size(), ending.size(), ending) == 0;
}

std::string BuiltInText(const std::string& name) {
  for (const BuiltInFile& file : kBuiltInFiles) {
    if (name == file.name) return file.text;
  }
  return "";
}

std::string FirstCommentLine(const std::string& text) {
  const size_t begin = text.find_first_not_of("# ");
  return begin == std::string::npos ? "" : text.substr(begin, text.find('\n', begin) - begin);
}

// `read` gives the text of the file that graph_file names.
void InlineGraph(Config* config, const std::string& where,
                 const std::function<std::string(const std::string& file)>& read) {
  if (!config->network().has_graph_file()) return;
  if (config->network().has_zoo() || config->network().has_graph()) BuildGraph(*config);  // throws: more than one
  const std::string file = config->network().graph_file();
  *config->mutable_network()->mutable_graph() = Graph::FromText(read(file), where + file).proto();
  config->mutable_network()->clear_graph_file();
}

Config LoadBuiltIn(const std::string& name) {
  Config config = ParseConfig(BuiltInText(name), name);
  InlineGraph(&config, "",
              [](const std::string& file) { return BuiltInText(file.substr(0, file.size() - (sizeof(kEnding) - 1))); });
  return config;
}

Config LoadFile(const std::string& path) {
  Config config = ParseConfig(ReadFile(path, kMaxFileBytes), path);
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  const std::filesystem::path file = config.network().graph_file();
  const std::string prefix = file.is_absolute() || folder.empty() ? "" : folder.string() + "/";
  InlineGraph(&config, prefix, [&](const std::string& name) { return ReadFile(prefix + name, kMaxFileBytes); });
  return config;
}

}  // namespace

std::vector<Recipe> BuiltInRecipes() {
  std::vector<Recipe> recipes;
  for (const BuiltInFile& file : kBuiltInFiles) {
    if (!IsGraphFile(file.name)) recipes.push_back({file.name, FirstCommentLine(file.text), file.text});
  }
  return recipes;
}

Config LoadRecipe(const std::string& name_or_path) {
  std::vector<std::string> names;
  for (const Recipe& recipe : BuiltInRecipes()) names.push_back(recipe.name);
  for (const std::string& name : names) {
    if (name == name_or_path) return LoadBuiltIn(name);
  }
  if (FileExists(name_or_path)) return LoadFile(name_or_path);
  const std::string closest = Closest(name_or_path, names);
  throw NotFound("recipe: expected a file or one of ", absl::StrJoin(names, ", "), ", got '", name_or_path, "'",
                 closest.empty() ? "" : "; did you mean " + closest + "?");
}

}  // namespace bitgate::jobs
