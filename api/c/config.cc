#include <string>
#include <vector>

#include "api/c/handles.h"
#include "models/jobs/recipes.h"

using bitgate::Config;
using bitgate::api::Hold;
using bitgate::c::Guard;
using bitgate::c::Keep;
using bitgate::c::Require;

bg_status bg_recipe_count(int32_t* count) {
  return Guard([&] {
    Require("bg_recipe_count", "count", count) = static_cast<int32_t>(bitgate::jobs::BuiltInRecipes().size());
  });
}

bg_status bg_recipe_name(int32_t index, const char** name) {
  return Guard([&] {
    const std::vector<bitgate::jobs::Recipe> recipes = bitgate::jobs::BuiltInRecipes();
    Require("bg_recipe_name", "name", name) =
        Keep(recipes[bitgate::c::CheckedIndex("bg_recipe_name", index, recipes.size())].name);
  });
}

bg_status bg_config_create_from_recipe(const char* name_or_path, bg_config** out) {
  return Guard([&] {
    Require("bg_config_create_from_recipe", "name_or_path", name_or_path);
    Require("bg_config_create_from_recipe", "out", out);
    *out = new bg_config{{}, bitgate::jobs::LoadRecipe(name_or_path)};
  });
}

bg_status bg_config_create_from_text(const char* text, const char* where, bg_config** out) {
  return Guard([&] {
    Require("bg_config_create_from_text", "text", text);
    Require("bg_config_create_from_text", "out", out);
    *out = new bg_config{{}, bitgate::jobs::ParseConfig(text, where == nullptr ? "configuration" : where)};
  });
}

bg_status bg_config_create_from_graph(bg_graph* graph, bg_config** out) {
  return Guard([&] {
    Require("bg_config_create_from_graph", "graph", graph);
    Require("bg_config_create_from_graph", "out", out);
    Config config;
    if (graph->zoo.empty()) {
      *config.mutable_network()->mutable_graph() = graph->graph->proto();
    } else {
      config.mutable_network()->set_zoo(graph->zoo);
    }
    *out = new bg_config{{}, config};
  });
}

void bg_config_free(bg_config* config) { bitgate::c::Free(config); }

bg_status bg_config_set(bg_config* config, const char* path, const char* value) {
  return Guard([&] {
    const Hold hold("bg_config_set", {&Require("bg_config_set", "config", config).exclusive});
    Require("bg_config_set", "path", path);
    Require("bg_config_set", "value", value);
    Config changed = config->config;  // as it was if the setting is wrong
    bitgate::jobs::Apply({path, value, path}, &changed);
    config->config = std::move(changed);
  });
}

bg_status bg_config_text(bg_config* config, const char** text) {
  return Guard([&] {
    const Hold hold("bg_config_text", {&Require("bg_config_text", "config", config).exclusive});
    Require("bg_config_text", "text", text) = Keep(bitgate::jobs::ToText(config->config));
  });
}
