// C++ exceptions that leave a callback: a status with their text, and a training that goes on afterwards.
#include <cstring>
#include <stdexcept>
#include <string>

#include "tests/abi/check.h"
#include "tests/abi/tiny.h"

namespace {

enum class Thrown { kNothing, kException, kInt };

struct Thrower {
  Thrown what = Thrown::kNothing;
  int64_t at_step = 0, at_epoch = 0;
  bool at_requantizing = false;

  int32_t Throw() const {
    if (what == Thrown::kException) throw std::runtime_error("the disk of the caller is on fire");
    if (what == Thrown::kInt) throw 42;
    return 0;
  }
};

int32_t OnStep(void* user_data, const bg_step* step) {
  const Thrower& thrower = *static_cast<Thrower*>(user_data);
  return step->total_steps == thrower.at_step && step->evaluating == 0 ? thrower.Throw() : 0;
}

int32_t OnEpoch(void* user_data, const bg_epoch* epoch) {
  const Thrower& thrower = *static_cast<Thrower*>(user_data);
  return epoch->epoch == thrower.at_epoch ? thrower.Throw() : 0;
}

int32_t OnRequantized(void* user_data, bg_requantize_report*) {
  const Thrower& thrower = *static_cast<Thrower*>(user_data);
  return thrower.at_requantizing ? thrower.Throw() : 0;
}

int32_t OnImages(void* user_data, int64_t) { return static_cast<Thrower*>(user_data)->Throw(); }

bg_model* ModelFor(const Thrower& thrower) { return thrower.at_requantizing ? tiny_bsq_model() : tiny_model(); }

const char* ExpectedText(Thrown what) { return what == Thrown::kException ? "on fire" : "unknown type"; }

// A training that a callback leaves with an exception, and that is then gone on with.
void ThrownAndFitted(const std::string& name, Thrower thrower) {
  const char* output = check_path((name + ".safetensors").c_str());
  const bg_callbacks callbacks = {sizeof callbacks, 0, OnStep, OnEpoch, &thrower, OnRequantized};
  bg_train_result result = {};
  result.struct_size = sizeof result;
  bg_model* model = ModelFor(thrower);
  bg_trainer* trainer = tiny_trainer(model, output, BG_EXISTING_REFUSE);
  CHECK_STATUS(BG_STATUS_INTERNAL, ExpectedText(thrower.what), bg_trainer_fit(trainer, &callbacks, &result));
  CHECK(result.epochs == 0);
  bg_model* stopped = nullptr;  // its checkpoint is there
  CHECK_OK(bg_model_create_from_file(output, "cpu", &stopped));
  bg_model_free(stopped);
  thrower.what = Thrown::kNothing;
  CHECK_OK(bg_trainer_fit(trainer, &callbacks, &result));
  CHECK_SAME_FILE(check_path(thrower.at_requantizing ? "whole_bsq.safetensors" : "whole.safetensors"), output);
  bg_trainer_free(trainer);
  bg_model_free(model);
}

void Uninterrupted(const char* name, bg_model* model) {
  bg_trainer* trainer = tiny_trainer(model, check_path(name), BG_EXISTING_REFUSE);
  CHECK_OK(bg_trainer_fit(trainer, nullptr, nullptr));
  bg_trainer_free(trainer);
  bg_model_free(model);
}

void ExceptionOfAStep() { ThrownAndFitted("step", {Thrown::kException, 7, 0}); }
void ExceptionOfAnEpoch() { ThrownAndFitted("epoch", {Thrown::kException, 0, 1}); }
void IntOfAStep() { ThrownAndFitted("step_int", {Thrown::kInt, 7, 0}); }
void IntOfAnEpoch() { ThrownAndFitted("epoch_int", {Thrown::kInt, 0, 2}); }

void ExceptionOfRequantizing() { ThrownAndFitted("requantize", {Thrown::kException, 0, 0, true}); }
void IntOfRequantizing() { ThrownAndFitted("requantize_int", {Thrown::kInt, 0, 0, true}); }

void ExceptionOfAnEvaluation() {
  bg_model* model = tiny_stepped_model();
  bg_dataset* dataset = tiny_dataset(64, 1);
  bg_evaluation evaluation = {};
  evaluation.struct_size = sizeof evaluation;
  for (Thrown what : {Thrown::kException, Thrown::kInt}) {
    Thrower thrower{what, 0, 0};
    CHECK_STATUS(BG_STATUS_INTERNAL, ExpectedText(what),
                 bg_model_evaluate(model, dataset, OnImages, &thrower, &evaluation));
    CHECK(evaluation.images == 0);
  }
  CHECK_OK(bg_model_evaluate(model, dataset, nullptr, nullptr, &evaluation));
  CHECK(evaluation.images == 64);
  bg_dataset_free(dataset);
  bg_model_free(model);
}

}  // namespace

int main(int argc, char** argv) {
  check_begin(argc, argv);
  Uninterrupted("whole.safetensors", tiny_model());
  Uninterrupted("whole_bsq.safetensors", tiny_bsq_model());
  RUN(ExceptionOfAStep);
  RUN(ExceptionOfAnEpoch);
  RUN(IntOfAStep);
  RUN(IntOfAnEpoch);
  RUN(ExceptionOfRequantizing);
  RUN(IntOfRequantizing);
  RUN(ExceptionOfAnEvaluation);
  return check_finish();
}
