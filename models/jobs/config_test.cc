#include "models/jobs/config.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/jobs/recipes.h"
#include "models/quantized/method.h"
#include "models/zoo/zoo.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"

namespace bitgate::jobs {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;

// The message of the Error that `body` throws.
template <class Body>
std::string MessageOf(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "(nothing was thrown)";
}

Config Set(const std::string& path, const std::string& value) {
  Config config;
  Apply({path, value, "--" + path}, &config);
  return config;
}

TEST(ConfigTest, NamesPlaceAndClosestFieldOfATypo) {
  const std::string text = "training {\n  epochs: 3\n  batchsize: 4\n}\n";
  EXPECT_THAT(MessageOf([&] { ParseConfig(text, "my.textproto"); }),
              AllOf(HasSubstr("my.textproto:3:"), HasSubstr("unknown field 'batchsize' in TrainingConfig"),
                    HasSubstr("did you mean batch_size?")));
  EXPECT_THAT(MessageOf([] { ParseConfig("training { epochs: many }", "r"); }), HasSubstr("r:1:20:"));
}

TEST(ConfigTest, SettingsReachFieldsOfEveryKind) {
  EXPECT_EQ(Set("training.epochs", "5").training().epochs(), 5);
  EXPECT_EQ(Set("quantizer.mu", "0.25").quantizer().mu(), 0.25);
  EXPECT_EQ(Set("quantizer.method", "float").quantizer().method(), "float");
  EXPECT_FALSE(Set("quantizer.stochastic_gates", "false").quantizer().stochastic_gates());
  EXPECT_EQ(Set("training.weights.kind", "SGD").training().weights().kind(), OptimizerConfig::SGD);
}

TEST(ConfigTest, Augmentation) {
  const Config config = ParseConfig("training { augmentation { pad: 4 flip: true } }", "r");
  EXPECT_EQ(config.training().augmentation().pad(), 4);
  EXPECT_TRUE(config.training().augmentation().flip());
  EXPECT_EQ(Set("training.augmentation.pad", "2").training().augmentation().pad(), 2);
  EXPECT_THAT(SettingNames(), AllOf(Contains("training.augmentation.pad"), Contains("training.augmentation.flip")));
  EXPECT_EQ(Difference(Set("training.augmentation.flip", "false"), Set("training.seed", "1")), "");
  EXPECT_THAT(Difference(Set("training.augmentation.pad", "2"), config),
              HasSubstr("training.augmentation.pad: 2 -> 4"));
}

TEST(ConfigTest, AListIsReplacedWhole) {
  Config config = Set("quantizer.initially_closed_bits", "16,32");
  EXPECT_THAT(config.quantizer().initially_closed_bits(), ::testing::ElementsAre(16, 32));
  Apply({"quantizer.initially_closed_bits", "32", ""}, &config);
  EXPECT_THAT(config.quantizer().initially_closed_bits(), ::testing::ElementsAre(32));
  Apply({"quantizer.initially_closed_bits", "", ""}, &config);
  EXPECT_EQ(config.quantizer().initially_closed_bits_size(), 0);
}

TEST(ConfigTest, BadSettingsSayWhatWasExpected) {
  EXPECT_THAT(MessageOf([] { Set("training.epoch", "5"); }), HasSubstr("did you mean training.epochs?"));
  EXPECT_THAT(MessageOf([] { Set("training", "5"); }), HasSubstr("unknown setting training"));
  EXPECT_THAT(MessageOf([] { Set("training.epochs.more", "5"); }), HasSubstr("unknown setting"));
  EXPECT_THAT(MessageOf([] { Set("training.epochs", "five"); }),
              HasSubstr("--training.epochs: expected a whole number in range, got 'five'"));
  EXPECT_THAT(MessageOf([] { Set("training.epochs", "5 batch_size: 3"); }), HasSubstr("expected a whole number"));
  EXPECT_THAT(MessageOf([] { Set("training.weights.kind", "RMS"); }), HasSubstr("one of ADAM, SGD"));
}

TEST(ConfigTest, SettingsOfAnotherMethodAreRefused) {
  const auto apply = [](const std::vector<Setting>& settings) {
    Config config = LoadRecipe("lenet5_mnist_bayesian_bits");
    return MessageOf([&] { Apply(settings, &config); });
  };
  const Setting mu = {"quantizer.mu", "1", "--mu"}, alpha = {"quantizer.alpha", "1", "--quantizer.alpha"};
  const Setting bsq = {"quantizer.method", "bsq", "--quantizer.method"};
  EXPECT_EQ(apply({mu}), "(nothing was thrown)");
  EXPECT_EQ(apply({alpha, bsq}), "(nothing was thrown)");  // in any order
  EXPECT_EQ(apply({alpha}),
            "--quantizer.alpha: expected a setting that bayesian_bits reads, got quantizer.alpha, which is another "
            "method's");
  EXPECT_THAT(apply({mu, bsq}), HasSubstr("--mu: expected a setting that bsq reads"));
  EXPECT_EQ(apply({mu, {"quantizer.method", "bayes", ""}}), "(nothing was thrown)");  // Check names the method
}

TEST(ConfigTest, EverySettingOfQuantizersIsReadByAMethod) {
  for (const std::string& name : SettingNames()) {
    const std::string prefix = "quantizer.";
    if (name.rfind(prefix, 0) != 0) continue;
    const std::string setting = name.substr(prefix.size());
    EXPECT_TRUE(MethodReads("bayesian_bits", setting) || MethodReads("bsq", setting)) << name;
  }
}

TEST(ConfigTest, EverySettingNameCanBeFound) {
  EXPECT_THAT(SettingNames(), AllOf(Contains("training.weights.schedule.kind"), Contains("quantizer.mu")));
}

TEST(ConfigTest, TextIsReadBackEqual) {
  const Config config = LoadRecipe("example");
  EXPECT_EQ(ToText(ParseConfig(ToText(config), "text")), ToText(config));
}

TEST(ConfigTest, CheckNamesWhatIsOutOfRange) {
  const auto check = [](const std::string& path, const std::string& value) {
    return MessageOf([&] {
      Config config = LoadRecipe("lenet5_float");
      Apply({path, value, "--" + path}, &config);
      Check(config);
    });
  };
  EXPECT_THAT(check("training.epochs", "0"), HasSubstr("training.epochs: expected a whole number from 1"));
  EXPECT_THAT(check("training.batch_size", "-1"), HasSubstr("training.batch_size"));
  EXPECT_THAT(check("training.augmentation.pad", "27"), HasSubstr("nothing was thrown"));
  EXPECT_THAT(check("training.augmentation.pad", "28"),
              HasSubstr("training.augmentation.pad: expected a whole number from 0 to 27, got 28"));
  EXPECT_THAT(check("training.augmentation.pad", "-1"), HasSubstr("training.augmentation.pad"));
  EXPECT_THAT(check("training.weights.learning_rate", "-1"), HasSubstr("training.weights"));
  EXPECT_THAT(check("training.weights.schedule.step_factor", "2"), HasSubstr("training.weights: expected step_factor"));
  EXPECT_THAT(MessageOf([] {
                Config config = LoadRecipe("lenet5_float");
                config.mutable_network()->set_zoo("lenet6");
                Check(config);
              }),
              AllOf(HasSubstr("network.zoo"), HasSubstr("lenet5")));
  EXPECT_THAT(check("quantizer.method", "bayes"), HasSubstr("bayesian_bits"));
  EXPECT_THAT(MessageOf([] { Check(Config()); }), HasSubstr("exactly one of zoo, graph_file and graph"));
}

TEST(ConfigTest, RequantizingFitsIntoTheEpochs) {
  const auto check = [](const std::string& method, int64_t epochs, const std::string& every) {
    Config config = LoadRecipe("lenet5_float");
    config.mutable_quantizer()->set_method(method);
    config.mutable_training()->set_epochs(epochs);
    if (!every.empty()) Apply({"training.requantize_every", every, "--every"}, &config);
    return MessageOf([&] { epochs > 0 ? Check(config) : CheckButEpochs(config); });
  };
  const std::string kExpected =
      "training.requantize_every: expected 1 to the 30 epochs of training with "
      "quantizer.method bsq (more would re-quantize at the end alone), got ";
  EXPECT_EQ(check("bsq", 30, ""), kExpected + "0");
  EXPECT_EQ(check("bsq", 30, "31"), kExpected + "31");
  EXPECT_THAT(check("bsq", 30, "-1"), HasSubstr("training.requantize_every: expected a whole number from 0"));
  for (const std::string every : {"1", "30"}) EXPECT_EQ(check("bsq", 30, every), "(nothing was thrown)");
  EXPECT_EQ(check("bsq", 0, ""), "(nothing was thrown)");  // of a network that is not trained yet
  EXPECT_EQ(check("float", 30, ""), "(nothing was thrown)");
  EXPECT_THAT(check("float", 30, "-1"), HasSubstr("training.requantize_every: expected a whole number from 0"));
  EXPECT_EQ(MakeTrainerOptions(Set("training.requantize_every", "5")).requantize_every, 5);
}

TEST(ConfigTest, LeavesLayersInFloat) {
  Config config = ParseConfig("network { zoo: 'lenet5' leave_float: ['conv1', 'fc2'] }", "r");
  const Graph whole = zoo::Build("lenet5"), graph = BuildGraph(config);
  for (const Node& node : graph.nodes()) {
    const bool left = node.name == "conv1" || node.name == "fc2";
    EXPECT_EQ(node.weight && node.weight->leave_float(), left) << node.name;
    EXPECT_EQ(node.output.has_value(), whole.node(node.index).output.has_value()) << node.name;
  }
  EXPECT_EQ(BuildGraph(ParseConfig(ToText(config), "text")).ToText(), graph.ToText());
  *config.mutable_network()->mutable_graph() = graph.proto();  // and of a graph, where it changes nothing twice
  config.mutable_network()->clear_zoo();
  EXPECT_EQ(BuildGraph(config).ToText(), graph.ToText());

  config.mutable_network()->add_leave_float("relu1");
  config.mutable_network()->add_leave_float("conv9");
  config.mutable_network()->add_leave_float("fc");
  EXPECT_THAT(
      MessageOf([&] { Check(config); }),
      HasSubstr("network.leave_float: expected names of nodes with a weight in network 'lenet5', got no node's: "
                "conv9, fc; nodes without: relu1"));
}

TEST(RecipesTest, EveryBuiltInRecipeIsSoundAndSaysWhatItIs) {
  ASSERT_GE(BuiltInRecipes().size(), 4u);
  for (const Recipe& recipe : BuiltInRecipes()) {
    SCOPED_TRACE(recipe.name);
    Check(LoadRecipe(recipe.name));
    EXPECT_GT(recipe.summary.size(), 20u);
  }
}

TEST(RecipesTest, ThePublishedRecipeIsAsPublished) {
  const Config config = LoadRecipe("lenet5_mnist_bayesian_bits");
  const TrainerOptions options = MakeTrainerOptions(config);
  EXPECT_EQ(options.gates.epochs, 100);
  EXPECT_EQ(options.batch_size, 128);
  EXPECT_EQ(options.fine_tune.epochs, 0);
  EXPECT_EQ(config.quantizer().mu(), 0.1);
  EXPECT_EQ(options.gates.weights.schedule.kind, ScheduleKind::kLinearLastThird);
  EXPECT_EQ(options.gates.gates.schedule.kind, ScheduleKind::kConstant);
  for (const GroupOptions* group : {&options.gates.weights, &options.gates.gates, &options.gates.ranges}) {
    EXPECT_EQ(group->optimizer, OptimizerKind::kAdam);
    EXPECT_EQ(group->learning_rate, 1e-3);
  }
}

TEST(ConfigTest, FineTuningTakesOverWhatItReadsAndRefusesTheRest) {
  const Config trained = LoadRecipe("lenet5_mnist_bayesian_bits");
  Config asked = trained;
  for (const auto& [path, value] : std::vector<std::pair<std::string, std::string>>{{"fine_tune.epochs", "3"},
                                                                                    {"training.batch_size", "17"},
                                                                                    {"training.seed", "5"},
                                                                                    {"training.augmentation.pad", "2"},
                                                                                    {"evaluation.batch_size", "9"}}) {
    Apply({path, value, "--" + path}, &asked);
  }
  EXPECT_NE(Difference(trained, asked), "");
  EXPECT_EQ(Difference(ForFineTuning(trained, asked), asked), "");
  EXPECT_EQ(ToText(ForFineTuning(trained, trained)), ToText(trained));  // what is not set stays so

  Apply({"quantizer.mu", "0.77", "--mu"}, &asked);
  EXPECT_THAT(
      MessageOf([&] { ForFineTuning(trained, asked); }),
      AllOf(HasSubstr("fine-tuning: expected settings of fine_tune, "), HasSubstr("quantizer.mu: 0.1 -> 0.77")));
}

TEST(ConfigTest, ADefaultSpelledOutIsNoDifference) {
  EXPECT_EQ(Difference(Set("training.batch_size", "128"), Set("training.seed", "1")), "");
}

TEST(RecipesTest, AFileFindsItsGraphBesideIt) {
  const std::string folder = ::testing::TempDir() + "/recipes";
  MakeDirectories(folder);
  const std::string recipe = folder + "/mine.textproto", graph = folder + "/net.textproto";
  WriteFileAtomically(recipe, "network { graph_file: 'net.textproto' }");
  WriteFileAtomically(graph, LoadRecipe("example").network().graph().DebugString());
  const Config config = LoadRecipe(recipe);
  EXPECT_FALSE(config.network().has_graph_file());
  EXPECT_EQ(config.network().graph().name(), "example");

  WriteFileAtomically(graph, "name: 'x' nodes {}");
  EXPECT_THAT(MessageOf([&] { LoadRecipe(recipe); }), HasSubstr(graph + ":1:17"));
}

TEST(RecipesTest, AnUnknownNameIsToldTheKnownOnes) {
  EXPECT_THAT(MessageOf([] { LoadRecipe("lenet5_flaot"); }),
              AllOf(HasSubstr("lenet5_mnist_bayesian_bits"), HasSubstr("did you mean lenet5_float?")));
}

TEST(ConfigTest, TheNetworkIsNoSetting) {
  Config config = LoadRecipe("lenet5_float");
  try {
    Apply({"network.zoo", "lenet5", "--network.zoo"}, &config);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("the network is the recipe's"), std::string::npos) << error.what();
  }
  for (const std::string& name : SettingNames()) EXPECT_NE(name.substr(0, 8), "network.");
}

}  // namespace
}  // namespace bitgate::jobs
