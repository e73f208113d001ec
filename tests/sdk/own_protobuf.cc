// A program with a Protobuf and an Abseil of its own, which have the names that the library has inside.
#include <absl/strings/str_cat.h>
#include <bitgate.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/message_differencer.h>

#include <cstdio>
#include <string>

#include "models/graph/graph.pb.h"

#ifdef USE_DLOPEN
#include <dlfcn.h>
#endif

namespace {

bool OursWorks() {
  bitgate::GraphProto message, read;
  message.set_other(7);
  message.add_words(absl::StrCat("one", 2));
  std::string text;
  if (!google::protobuf::TextFormat::PrintToString(message, &text)) return false;
  if (!google::protobuf::TextFormat::ParseFromString(text, &read)) return false;
  const auto* found = google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName("bitgate.GraphProto");
  return google::protobuf::util::MessageDifferencer::Equals(message, read) && found != nullptr &&
         found->field_count() == 2;
}

template <class Function>
Function Load(void* library, const char* name, Function linked) {
#ifdef USE_DLOPEN
  (void)linked;
  return reinterpret_cast<Function>(dlsym(library, name));
#else
  (void)library;
  (void)name;
  return linked;
#endif
}

}  // namespace

#ifdef USE_DLOPEN
#define LINKED(name) static_cast<decltype(&name)>(nullptr)
#else
#define LINKED(name) &name
#endif

int main(int argc, char** argv) {
  if (!OursWorks()) return 1;
  void* library = nullptr;
#ifdef USE_DLOPEN
  if (argc < 2 || (library = dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL)) == nullptr) {
    std::fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
#else
  (void)argc;
  (void)argv;
#endif
  const auto create = Load(library, "bg_config_create_from_recipe", LINKED(bg_config_create_from_recipe));
  const auto set = Load(library, "bg_config_set", LINKED(bg_config_set));
  const auto text = Load(library, "bg_config_text", LINKED(bg_config_text));
  const auto model_create = Load(library, "bg_model_create", LINKED(bg_model_create));
  const auto model_free = Load(library, "bg_model_free", LINKED(bg_model_free));
  const auto free_config = Load(library, "bg_config_free", LINKED(bg_config_free));
  bg_config* config = nullptr;
  bg_model* model = nullptr;
  const char* printed = nullptr;
  if (create("lenet5_mnist_bayesian_bits", &config) != BG_STATUS_OK) return 2;
  if (set(config, "training.epochs", "3") != BG_STATUS_OK) return 3;
  if (text(config, &printed) != BG_STATUS_OK || std::string(printed).find("epochs: 3") == std::string::npos) return 4;
  if (model_create(config, "cpu", &model) != BG_STATUS_OK) return 5;
  model_free(model);
  free_config(config);
  if (!OursWorks()) return 6;
  std::puts("both work");
  return 0;
}
