"""Training: to the end, in pieces, or step by step on batches of one's own."""

from __future__ import annotations

import dataclasses
import math
import os
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import numpy

from bitgate import _core
from bitgate._core import StepSummary
from bitgate.data import Data, raw_labels
from bitgate.model import Model
from bitgate.progress import Bar, Progress
from bitgate.reports import BitReport, EpochSummary, FreezeReport, RequantizeReport

__all__ = ["Run", "StepResult", "Trainer"]

Existing = Literal["refuse", "resume", "overwrite"]
OnEpoch = Callable[[EpochSummary], Any]
OnStep = Callable[[StepSummary], Any]
OnFreeze = Callable[[FreezeReport], Any]
OnRequantize = Callable[[RequantizeReport], Any]


class StepResult(NamedTuple):
    """What one step gave: the batch's mean cross-entropy, the regularizer, how many images were right."""

    loss: float
    penalty: float
    correct: int


@dataclasses.dataclass
class Run:
    """What Trainer.fit() gives back.

    Attributes:
      accuracy, loss: on the test images, of the network as the last epoch left it; nan if it was stopped before one
        ended.
      bits: the report of bits at the end.
      seconds: that this call took.
      epochs: that this call trained.
      history: a dict for each epoch of the trainer, as EpochSummary has it.
      stopped: a callback returned False; another fit() goes on from there.
      frozen: whether bits and channels are fixed now.
      trainer: that it came from.
    """

    accuracy: float
    loss: float
    bits: BitReport
    seconds: float
    epochs: int
    history: list[dict[str, Any]]
    stopped: bool
    frozen: bool
    trainer: Trainer = dataclasses.field(repr=False)

    @property
    def model(self) -> Model:
        """The model that was trained."""
        return self.trainer.model

    def fine_tune(self, epochs: int | None = None, **options: Any) -> Run:
        """trainer.fine_tune()."""
        return self.trainer.fine_tune(epochs, **options)

    def __str__(self) -> str:
        return (f"test accuracy {self.accuracy:.2%}, loss {self.loss:.4f} after {self.epochs} epochs in "
                f"{self.seconds:.1f} s{', stopped' if self.stopped else ''}\n{self.bits}")

    def _repr_html_(self) -> str:
        first = str(self).split("\n", maxsplit=1)[0]
        return f"<p>{first}</p>{self.bits._repr_html_()}"


class Trainer:
    """Trains a model as its configuration says: gates first, then, if it has a fine_tune part, weights and ranges of
    the frozen network. A model that is frozen already is fine-tuned.

    Args:
      model: is trained in place; for one trainer at a time.
      data: images to train on and to test with. None: for step() alone.
      epochs: training.epochs of the configuration, fine_tune.epochs for a frozen model; None: as it is there.
      batch_size: training.batch_size; None: as it is there.
      requantize_every: training.requantize_every, for BSQ: after so many epochs each, and after the last, bit planes
        become digits again and layers lose or gain planes; None: as it is there.
      settings: other changes to the configuration, by path: {"training.gates.learning_rate": 0.01}.
      output: the last checkpoint, NAME.safetensors, with NAME.best.safetensors and NAME.log.jsonl beside it. None: no
        files.
      existing: of a run that is at `output` already: "refuse" it (RuntimeError), "resume" where it stands, as if it had
        never stopped, or "overwrite" it.
      progress: a tqdm bar: "auto" where tqdm is installed and there is a notebook or a terminal, True, or False.

    Raises ValueError for settings and data that do not fit, RuntimeError for a run that is there already or is of
    another configuration, OSError while another run writes there or where the operating system refuses.
    """

    def __init__(self, model: Model, data: Data | None = None, epochs: int | None = None, batch_size: int | None = None,
                 *, requantize_every: int | None = None, settings: Mapping[str, Any] | None = None,
                 output: str | os.PathLike[str] | None = None, existing: Existing = "refuse",
                 progress: Progress = "auto") -> None:
        if not isinstance(model, Model):
            raise TypeError(f"trainer: expected a Model, got {type(model).__name__}")
        if data is not None and not isinstance(data, Data):
            raise TypeError(f"trainer: expected Data, got {type(data).__name__}")
        self.model = model
        self.data = data
        self.progress = progress
        self.history: list[dict[str, Any]] = []
        changes = dict(settings or {})
        if epochs is not None:
            changes["fine_tune.epochs" if model.frozen else "training.epochs"] = epochs
        if batch_size is not None:
            changes["training.batch_size"] = batch_size
        if requantize_every is not None:
            changes["training.requantize_every"] = requantize_every
        path = "fine_tune.epochs" if model.frozen else "training.epochs"
        if data is not None and path not in changes and not model.config.get(path):
            raise ValueError(f"trainer: expected epochs=, for the model's configuration has no {path}, got none")
        before = _configure(model, changes)
        try:
            self._core = _training(model, data, output, existing)
        except BaseException:
            if before is not None:
                model.config = before
            raise

    def fit(self, *, on_epoch: OnEpoch | None = None, on_step: OnStep | None = None, on_freeze: OnFreeze | None = None,
            on_requantize: OnRequantize | None = None, progress: Progress | None = None) -> Run:
        """Trains to the end, or on from where it was stopped; returns at once if nothing is left.

        Args:
          on_epoch: called with an EpochSummary after each epoch, when its checkpoints are on the disk.
          on_step: called with a StepSummary after each step and each batch of evaluation.
          on_freeze: called with a FreezeReport before the first step of fine-tuning, if the configuration has it.
          on_requantize: called with a RequantizeReport after each re-quantization of BSQ, at the end of an epoch (again
            when a run goes on from there). Its warnings, layers that have no bits left, are RuntimeWarnings as well.
          progress: as the trainer's; None: that.

        A callback that returns False stops: the result's `stopped` is true, and another fit() goes on. An exception of
        a callback, and Ctrl-C, reach the caller, with a checkpoint of that moment if there is an output; the training
        is then as after a stop. Raises RuntimeError for a loss that is not finite, or a model that somebody else has
        frozen since; OSError where files cannot be written; BusyError if the trainer or its model is in use.
        """
        for name, callback in (("on_epoch", on_epoch), ("on_step", on_step), ("on_freeze", on_freeze),
                               ("on_requantize", on_requantize)):
            if callback is not None and not callable(callback):
                raise TypeError(f"fit: expected a function for {name}, got {callback!r}")
        epochs_before = len(self.history)
        start = time.perf_counter()
        bar = Bar(self.progress if progress is None else progress)

        def epoch_ended(values: dict[str, Any]) -> Any:
            self.history.append(values)
            return _answer(on_epoch(EpochSummary(**values))) if on_epoch is not None else None

        def froze(report: dict[str, Any]) -> Any:
            return _answer(on_freeze(FreezeReport.from_dict(report))) if on_freeze is not None else None

        def requantized(values: dict[str, Any]) -> Any:
            report = RequantizeReport.from_dict(values)
            report.warn(stacklevel=3)
            return _answer(on_requantize(report)) if on_requantize is not None else None

        def stepped(summary: StepSummary) -> Any:
            return _answer(on_step(summary)) if on_step is not None else None

        try:
            result = self._core.fit(None if on_step is None else stepped, epoch_ended, froze, requantized,
                                    bar.update if bar.shown else None)
        finally:
            bar.close()
        seconds = time.perf_counter() - start
        return self._run(result, len(self.history) - epochs_before, seconds)

    def _run(self, result: tuple[float, float] | None, epochs: int, seconds: float) -> Run:
        accuracy, loss = result or (math.nan, math.nan)
        if result is None and self.history:
            accuracy, loss = self.history[-1]["test_accuracy"], self.history[-1]["test_loss"]
        return Run(accuracy, loss, self.model.bits(), seconds, epochs, [dict(epoch) for epoch in self.history],
                   result is None, self.model.frozen, self)

    def step(self, images: Any, labels: Any, learning_rate_factor: float = 1.0) -> StepResult:
        """One step on a batch of one's own.

        Args:
          images: raw, as Model.logits() takes them; at least one.
          labels: [n], of an integer dtype.
          learning_rate_factor: learning rates are the configuration's times this; schedules, a matter of epochs, do not
            apply.

        Raises ValueError for what does not fit, RuntimeError for a loss that is not finite (parameters are then as
        before the step) and for a trainer that has begun to fit.
        """
        return StepResult(*self._core.step(self.model._raw(images), raw_labels("step", labels), learning_rate_factor))

    def fine_tune(self, epochs: int | None = None, *, settings: Mapping[str, Any] | None = None,
                  output: str | os.PathLike[str] | None = None, existing: Existing = "refuse",
                  progress: Progress | None = None, **callbacks: Any) -> Run:
        """Trains weights and ranges of the frozen model on, with the same data, in a trainer of its own.

        Args as Trainer and fit() take them. Raises RuntimeError unless the model is frozen.
        """
        if not self.model.frozen:
            raise RuntimeError("fine_tune: expected a frozen model, got one that still learns its bits; freeze() it first")
        tuner = Trainer(self.model, self.data, epochs, settings=settings, output=output, existing=existing,
                        progress=self.progress if progress is None else progress)
        return tuner.fit(**callbacks)

    def __repr__(self) -> str:
        return f"Trainer({self.model!r}, {self.data!r}, {len(self.history)} epochs trained)"


def _answer(value: Any) -> Any:
    """What a callback returned, NumPy's False as Python's."""
    return False if isinstance(value, numpy.bool_) and not value else value


def _configure(model: Model, changes: Mapping[str, Any]) -> _core.Config | None:
    """Sets what is changed in the model's configuration; what it was before, if anything is."""
    if not changes:
        return None
    before = model.config
    config = before.copy()
    for path, value in changes.items():
        config.set(path, value)
    model.config = before.for_fine_tuning(config) if model.frozen else config
    return before


def _training(model: Model, data: Data | None, output: str | os.PathLike[str] | None,
              existing: Existing) -> _core.Training:
    if data is None:
        if output is not None:
            raise ValueError("trainer: expected data to go with an output, got none")
        return _core.Training.create_stepper(model._core)
    path = "" if output is None else output
    return _core.Training.create(model._core, data.train._core, data.test._core, path, existing)
