#include "models/train/train_step.h"

#include "models/train/device_batch.h"
#include "ops/elementwise/elementwise.h"
#include "ops/loss/loss.h"

namespace bitgate {

StepResult TrainStep(Network& network, Tape& tape, Optimizers& optimizers, const StepInputs& inputs,
                     const std::function<void(const StepResult&)>& check) {
  Context& context = network.context();
  tape.Clear();
  network.Watch(tape);
  ForwardResult forward;
  Tensor loss, objective;
  {
    const Recording recording(context, tape);
    forward = network.Forward(inputs.images, Mode::kTrain, inputs.key);
    loss = SoftmaxCrossEntropy(context, forward.logits, inputs.labels);
    objective = forward.penalty.defined() ? Add(context, loss, forward.penalty) : loss;
  }
  StepResult result;
  result.loss = ScalarOf(context, loss);
  result.penalty = forward.penalty.defined() ? ScalarOf(context, forward.penalty) : 0;
  check(result);
  result.correct = CountCorrect(context, forward.logits, inputs.labels);
  tape.Backward(context, objective);
  optimizers.Step(tape, inputs.optimizer_step, inputs.learning_rates);
  tape.Clear();
  return result;
}

}  // namespace bitgate
