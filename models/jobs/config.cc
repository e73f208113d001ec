#include "models/jobs/config.h"

#include <algorithm>

#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/text_format.h"
#include "google/protobuf/util/message_differencer.h"
#include "models/data/batching.h"
#include "models/graph/dims.h"
#include "models/graph/first_error.h"
#include "models/jobs/suggest.h"
#include "models/quantized/method.h"
#include "models/zoo/zoo.h"
#include "runtime/base/error.h"

namespace bitgate::jobs {
namespace {

constexpr char kNetwork[] = "network";  // decided by the recipe, not by settings

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::TextFormat;

std::vector<std::string> FieldNames(const Descriptor* type) {
  std::vector<std::string> names;
  for (int i = 0; i < type->field_count(); ++i) names.push_back(type->field(i)->name());
  return names;
}

std::string DidYouMean(const std::string& name, const std::vector<std::string>& known) {
  const std::string closest = Closest(name, known);
  return closest.empty() ? "" : "; did you mean " + closest + "?";
}

// The text between the `nth` pair of double quotes.
std::string Quoted(const std::string& text, int nth) {
  size_t begin = 0, end = std::string::npos;
  for (int i = 0; i <= nth; ++i) {
    begin = text.find('"', i == 0 ? 0 : end + 1);
    end = begin == std::string::npos ? begin : text.find('"', begin + 1);
    if (end == std::string::npos) return "";
  }
  return text.substr(begin + 1, end - begin - 1);
}

// Says protobuf's `Message type "bitgate.TrainingConfig" has no field named "epoch".` in terms of recipes, with the
// name that was probably meant; other messages as they are.
std::string Explain(const std::string& message) {
  if (message.find("has no field named") == std::string::npos) return message;
  const std::string type_name = Quoted(message, 0), field = Quoted(message, 1);
  const Descriptor* type = google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(type_name);
  if (type == nullptr) return message;
  return "unknown field '" + field + "' in " + type->name() + DidYouMean(field, FieldNames(type));
}

std::string ExpectedValue(const FieldDescriptor* field) {
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return "true or false";
    case FieldDescriptor::CPPTYPE_STRING:
      return "text";
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
      return "a number";
    case FieldDescriptor::CPPTYPE_ENUM: {
      std::string names = "one of";
      for (int i = 0; i < field->enum_type()->value_count(); ++i) {
        names += (i ? ", " : " ") + field->enum_type()->value(i)->name();
      }
      return names;
    }
    default:
      return "a whole number in range";
  }
}

void ParseValue(const Setting& setting, const std::string& value, const FieldDescriptor* field, Message* message) {
  class Silent : public google::protobuf::io::ErrorCollector {
    void AddError(int, int, const std::string&) override {}
  } silent;
  if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING && !field->is_repeated()) {
    message->GetReflection()->SetString(message, field, value);
    return;
  }
  TextFormat::Parser parser;
  parser.RecordErrorsTo(&silent);
  if (!parser.ParseFieldValueFromString(value, field, message)) {
    throw InvalidArgument(setting.origin, ": expected ", ExpectedValue(field), ", got '", value, "'");
  }
}

std::vector<std::string> Split(const std::string& text, char separator) {
  std::vector<std::string> parts(1);
  for (char c : text) {
    if (c == separator) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

void CollectSettings(const Descriptor* type, const std::string& prefix, std::vector<std::string>* names) {
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    if (field->message_type() == nullptr) {
      names->push_back(prefix + field->name());
    } else if (!field->is_repeated()) {
      CollectSettings(field->message_type(), prefix + field->name() + ".", names);
    }
  }
}

Schedule MakeSchedule(const ScheduleConfig& config) {
  Schedule schedule;
  switch (config.kind()) {
    case ScheduleConfig::CONSTANT:
      schedule.kind = ScheduleKind::kConstant;
      break;
    case ScheduleConfig::LINEAR_LAST_THIRD:
      schedule.kind = ScheduleKind::kLinearLastThird;
      break;
    case ScheduleConfig::COSINE:
      schedule.kind = ScheduleKind::kCosine;
      break;
    case ScheduleConfig::STEPS:
      schedule.kind = ScheduleKind::kSteps;
      break;
  }
  schedule.step_epochs.assign(config.step_epochs().begin(), config.step_epochs().end());
  schedule.step_factor = config.step_factor();
  return schedule;
}

GroupOptions MakeGroup(const OptimizerConfig& config) {
  GroupOptions group;
  group.optimizer = config.kind() == OptimizerConfig::ADAM ? OptimizerKind::kAdam : OptimizerKind::kSgd;
  group.learning_rate = config.learning_rate();
  group.weight_decay = config.weight_decay();
  group.beta1 = config.beta1();
  group.beta2 = config.beta2();
  group.epsilon = config.epsilon();
  group.momentum = config.momentum();
  group.nesterov = config.nesterov();
  group.schedule = MakeSchedule(config.schedule());
  return group;
}

void CheckRange(const char* name, int64_t value, int64_t low, int64_t high) {
  if (value < low || value > high) {
    throw InvalidArgument(name, ": expected a whole number from ", low, " to ", high, ", got ", value);
  }
}

// Without network.leave_float.
Graph BuildWholeGraph(const Config& config) {
  const NetworkConfig& network = config.network();
  if (network.has_zoo() + network.has_graph_file() + network.has_graph() != 1) {
    throw InvalidArgument("network: expected exactly one of zoo, graph_file and graph, got ",
                          network.has_zoo() + network.has_graph_file() + network.has_graph(), " of them");
  }
  if (network.has_graph()) return Graph::FromProto(network.graph());
  if (network.has_graph_file()) {
    throw InvalidArgument("network: expected graph_file to be read already, got ", network.graph_file());
  }
  try {
    return zoo::Build(network.zoo());
  } catch (const Error& error) {
    throw InvalidArgument("network.zoo: ", error.what());
  }
}

Graph WithFloatLayers(const Graph& graph, const NetworkConfig& network) {
  GraphProto proto = graph.proto();
  std::string unknown, weightless;
  for (const std::string& name : network.leave_float()) {
    const auto& nodes = graph.nodes();
    const auto found = std::find_if(nodes.begin(), nodes.end(), [&](const Node& node) { return node.name == name; });
    if (found == nodes.end()) {
      unknown += (unknown.empty() ? "" : ", ") + name;
    } else if (!found->kind->traits().has_weight) {
      weightless += (weightless.empty() ? "" : ", ") + name;
    } else {
      TensorPrecision* precision = proto.mutable_node(found->index)->mutable_weight();
      precision->clear_allowed_bits();
      precision->set_leave_float(true);
    }
  }
  if (unknown.empty() && weightless.empty()) return Graph::FromProto(proto);
  throw InvalidArgument("network.leave_float: expected names of nodes with a weight in network '", graph.name(),
                        "', got ", unknown.empty() ? "" : "no node's: " + unknown,
                        unknown.empty() || weightless.empty() ? "" : "; ",
                        weightless.empty() ? "" : "nodes without: " + weightless);
}

void CheckRequantizing(const Config& config) {
  const int64_t every = config.training().requantize_every(), epochs = config.training().epochs();
  if (every >= 1 && every <= epochs) return;
  if (!MakeMethod(BuildGraph(config), config.quantizer())->requantizes()) return;
  throw InvalidArgument("training.requantize_every: expected 1 to the ", epochs,
                        " epochs of training with quantizer.method ", config.quantizer().method(),
                        " (more would re-quantize at the end alone), got ", every);
}

AugmentationOptions MakeAugmentation(const AugmentationConfig& config) { return {config.pad(), config.flip()}; }

void CheckAugmentation(const AugmentationOptions& augmentation, const Dims& input) {
  // Where the network takes an image as a flat vector, only the data know its height and width.
  const int64_t end = input.size() == 3 ? std::min(input[0], input[1]) : int64_t{1} << 20;
  CheckRange("training.augmentation.pad", augmentation.pad, 0, end - 1);
}

}  // namespace

Config ParseConfig(const std::string& text, const std::string& where) {
  Config config;
  FirstError error;
  TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  if (!parser.ParseFromString(text, &config)) {
    throw InvalidArgument(where, ":", error.place(), ": ", Explain(error.text()));
  }
  return config;
}

std::string ToText(const Config& config) {
  TextFormat::Printer printer;
  printer.SetUseShortRepeatedPrimitives(true);
  std::string text;
  if (!printer.PrintToString(config, &text)) throw Internal("configuration: expected text, got a printing error");
  return text;
}

void Apply(const Setting& setting, Config* config) {
  Message* message = config;
  const std::vector<std::string> names = Split(setting.path, '.');
  if (names[0] == kNetwork) {
    throw InvalidArgument(setting.origin, ": expected a setting of quantizer, training, fine_tune or evaluation, got ",
                          setting.path, ": the network is the recipe's");
  }
  for (size_t i = 0; i < names.size(); ++i) {
    const FieldDescriptor* field = message->GetDescriptor()->FindFieldByName(names[i]);
    const bool last = i + 1 == names.size();
    if (field == nullptr || last != (field->message_type() == nullptr) || (!last && field->is_repeated())) {
      throw InvalidArgument(setting.origin, ": unknown setting ", setting.path,
                            DidYouMean(setting.path, SettingNames()));
    }
    if (!last) {
      message = message->GetReflection()->MutableMessage(message, field);
    } else if (field->is_repeated()) {
      message->GetReflection()->ClearField(message, field);
      if (setting.value.empty()) continue;
      for (const std::string& value : Split(setting.value, ',')) ParseValue(setting, value, field, message);
    } else {
      ParseValue(setting, setting.value, field, message);
    }
  }
}

void Apply(const std::vector<Setting>& settings, Config* config) {
  for (const Setting& setting : settings) Apply(setting, config);
  const std::string& method = config->quantizer().method();
  for (const Setting& setting : settings) {
    const std::vector<std::string> names = Split(setting.path, '.');
    if (names[0] != "quantizer" || MethodReads(method, names.back())) continue;
    throw InvalidArgument(setting.origin, ": expected a setting that ", method, " reads, got ", setting.path,
                          ", which is another method's");
  }
}

std::vector<std::string> SettingNames() {
  std::vector<std::string> names;
  CollectSettings(Config::descriptor(), "", &names);
  const auto of_network = [](const std::string& name) { return name.compare(0, sizeof kNetwork, "network.") == 0; };
  names.erase(std::remove_if(names.begin(), names.end(), of_network), names.end());
  return names;
}

Graph BuildGraph(const Config& config) {
  const Graph graph = BuildWholeGraph(config);
  return config.network().leave_float().empty() ? graph : WithFloatLayers(graph, config.network());
}

TrainerOptions MakeTrainerOptions(const Config& config) {
  TrainerOptions options;
  options.batch_size = config.training().batch_size();
  options.seed = config.training().seed();
  options.augmentation = MakeAugmentation(config.training().augmentation());
  options.evaluation_batch_size = config.evaluation().batch_size();
  options.requantize_every = config.training().requantize_every();
  options.gates.epochs = config.training().epochs();
  options.gates.weights = MakeGroup(config.training().weights());
  options.gates.gates = MakeGroup(config.training().gates());
  options.gates.ranges = MakeGroup(config.training().ranges());
  options.fine_tune.epochs = config.fine_tune().epochs();
  options.fine_tune.weights = MakeGroup(config.fine_tune().weights());
  options.fine_tune.ranges = MakeGroup(config.fine_tune().ranges());
  return options;
}

std::string Difference(const Config& first, const Config& second) {
  google::protobuf::util::MessageDifferencer differencer;
  differencer.set_message_field_comparison(google::protobuf::util::MessageDifferencer::EQUIVALENT);
  std::string differences;
  differencer.ReportDifferencesToString(&differences);
  if (differencer.Compare(first, second)) return "";
  return differences.substr(0, differences.find('\n'));
}

Config ForFineTuning(const Config& trained, const Config& asked) {
  Config config = trained;
  if (asked.has_fine_tune()) *config.mutable_fine_tune() = asked.fine_tune();
  if (asked.has_evaluation()) *config.mutable_evaluation() = asked.evaluation();
  if (asked.training().has_batch_size()) config.mutable_training()->set_batch_size(asked.training().batch_size());
  if (asked.training().has_seed()) config.mutable_training()->set_seed(asked.training().seed());
  if (asked.training().has_augmentation()) {
    *config.mutable_training()->mutable_augmentation() = asked.training().augmentation();
  }
  const std::string difference = Difference(config, asked);
  if (difference.empty()) return config;
  throw InvalidArgument(
      "fine-tuning: expected settings of fine_tune, evaluation, training.batch_size, ",
      "training.seed and training.augmentation alone, for the network is trained already, got another: ", difference);
}

void Check(const Config& config) {
  CheckButEpochs(config);
  CheckEpochs(config);
}

void CheckEpochs(const Config& config) {
  CheckRange("training.epochs", config.training().epochs(), 1, 1000000);
  CheckRequantizing(config);
}

void CheckButEpochs(const Config& config) {
  const Graph graph = BuildGraph(config);
  MakeMethod(graph, config.quantizer());
  const TrainerOptions options = MakeTrainerOptions(config);
  if (options.gates.epochs != 0) CheckRange("training.epochs", options.gates.epochs, 1, 1000000);
  CheckRange("training.requantize_every", options.requantize_every, 0, 1000000);
  CheckRange("training.batch_size", options.batch_size, 1, 1 << 20);
  CheckAugmentation(MakeAugmentation(config.training().augmentation()), graph.input_shape());
  CheckRange("fine_tune.epochs", options.fine_tune.epochs, 0, 1000000);
  CheckRange("evaluation.batch_size", options.evaluation_batch_size, 1, 1 << 20);
  CheckGroupOptions("training.weights", options.gates.weights);
  CheckGroupOptions("training.gates", options.gates.gates);
  CheckGroupOptions("training.ranges", options.gates.ranges);
  CheckGroupOptions("fine_tune.weights", options.fine_tune.weights);
  CheckGroupOptions("fine_tune.ranges", options.fine_tune.ranges);
}

}  // namespace bitgate::jobs
