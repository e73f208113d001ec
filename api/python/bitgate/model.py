"""Networks with their parameters and quantizers."""

from __future__ import annotations

import operator
import os
import pathlib
import tempfile
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy
import numpy.typing

from bitgate import _core
from bitgate._core import Config, Graph, Tensor
from bitgate.data import Data, Dataset, raw_images
from bitgate.quantizers import BSQ, BayesianBits, Float, Quantizer
from bitgate.reports import BitReport, Evaluation, FreezeReport, LoadedWeight, RequantizeReport, WeightsReport
from bitgate.tensors import Compute

if TYPE_CHECKING:
    from bitgate.trainer import Run

__all__ = ["Model", "load"]

ImagesCallback = Callable[[int], Any]
Path = str | os.PathLike[str]


class Model:
    """A network with its parameters and quantizers, and the configuration that it is trained by.

    Args:
      network: a Graph, or a Config that names one.
      quantizer: BayesianBits(...), BSQ(...) or Float(); None: as the configuration says, BayesianBits() if it says
        nothing.
      seed: of initial weights, the order of images and the noise of gates.
      device: "cpu", or "cuda:<index>" in builds that have it.
      compute: of products and convolutions: "float32"; "bfloat16" on a GPU and on processors with AVX-512 BF16 or AMX;
        "tf32" on a GPU: inputs are rounded so, sums are float32.

    Raises ValueError for a configuration that is out of range, NotImplementedError for a device that this build lacks
    or that cannot compute so.

    A model is for one call at a time: another thread, or a callback of the call under way, gets BusyError.
    copy.deepcopy() and pickle make independent twins.
    """

    def __init__(self, network: Graph | Config, quantizer: Quantizer | None = None, *, seed: int | None = None,
                 device: str = "cpu", compute: Compute = "float32") -> None:
        if not isinstance(network, (Graph, Config)):
            raise TypeError(f"model: expected a Graph or a Config, got {type(network).__name__}")
        config = Config.from_graph(network) if isinstance(network, Graph) else network.copy()
        if quantizer is not None:
            if not isinstance(quantizer, (BayesianBits, BSQ, Float)):
                raise TypeError(f"model: expected BayesianBits(...), BSQ(...) or Float(), got {quantizer!r}")
            quantizer.apply(config)
        if seed is not None:
            config.set("training.seed", seed)
        self._core = _core.Model.create(config, device, compute)

    @classmethod
    def _wrapped(cls, core: _core.Model) -> Model:
        model = cls.__new__(cls)
        model._core = core
        return model

    @classmethod
    def from_recipe(cls, name_or_path: Path, settings: Mapping[str, Any] | None = None, *,
                    quantizer: Quantizer | None = None, seed: int | None = None, device: str = "cpu",
                    compute: Compute = "float32") -> Model:
        """The network of a recipe (bg.recipes(), or a file), to be trained as the recipe says.

        `settings` are changes by path, as on the command line: {"training.epochs": 10, "quantizer.mu": 0.2}. Raises
        FileNotFoundError, listing the names there are, and ValueError for what is wrong in it.
        """
        config = Config.from_recipe(name_or_path)
        for path, value in (settings or {}).items():
            config.set(path, value)
        return cls(config, quantizer, seed=seed, device=device, compute=compute)

    @classmethod
    def load(cls, path: Path, device: str = "cpu", compute: Compute = "float32") -> Model:
        """A model from a checkpoint: of save(), of a Trainer, or of the command line.

        `device` and `compute` as Model() takes them. Raises FileNotFoundError for one that is missing, DataError for one
        that is damaged or cut short, RuntimeError for one of another format.
        """
        return cls._wrapped(_core.Model.open(path, device, compute))

    def save(self, path: Path) -> None:
        """Writes a checkpoint, whole or not at all. Raises OSError where the operating system refuses."""
        self._core.save(path)

    def load_float_weights(self, path: Path) -> WeightsReport:
        """Replaces weights, biases and batch norms, in place, by those of a file; what it took.

        The file is PyTorch's: safetensors.torch.save_file(model.state_dict(), path) of a model whose modules are named
        as the nodes. Convolutions and layers behind flattened images are reordered as the network wants them. Tensors
        that are missing, unknown or of another shape are refused (but num_batches_tracked; all names may begin with
        "module."). A checkpoint of the same network that is not frozen serves as well. Trainers that the model had
        before do not fit() any more.

        Raises FileNotFoundError, RuntimeError listing all that does not fit or for a frozen model, DataError for a file
        that is damaged and listing tensors with values that are not finite and variances below 0. The model is then as
        it was.
        """
        table, rows = self._core.load_float_weights(path)
        return WeightsReport([LoadedWeight(*row) for row in rows], table)

    def save_float_weights(self, path: Path) -> None:
        """Writes the file that load_float_weights() reads, whole or not at all.

        These are the weights before quantization, also of a frozen model, whose batch norms are part of them where
        freezing has folded them. Raises OSError where the operating system refuses.
        """
        self._core.save_float_weights(path)

    @property
    def config(self) -> Config:
        """A copy of the configuration. Set it to another of the same network and quantizer (else ValueError)."""
        return self._core.config

    @config.setter
    def config(self, config: Config) -> None:
        self._core.config = config

    @property
    def graph(self) -> Graph:
        """The network as data, as it runs: without the batch norms that freezing has folded into weights and biases."""
        return self._core.graph

    @property
    def frozen(self) -> bool:
        """Whether bits and channels are fixed."""
        return self._core.frozen

    @property
    def device(self) -> str:
        """Where it is and computes."""
        return self._core.device

    @property
    def compute(self) -> str:
        """How products and convolutions compute: "float32", "tf32" or "bfloat16". May be set at any time; a checkpoint
        knows nothing of it.

        (What calling the model has recorded is walked back as set_compute() says.)
        """
        return self._core.compute

    @compute.setter
    def compute(self, compute: Compute) -> None:
        self._core.compute = compute

    def bits(self) -> BitReport:
        """Bits, channels, bit operations and bytes, layer by layer, as freezing would fix them now."""
        return BitReport(*self._core.bits())

    def requantize(self) -> RequantizeReport:
        """BSQ's re-quantization, in place: planes become digits again, and layers lose or gain planes.

        For loops of one's own; Trainer.fit() does it as training.requantize_every says. What the network computes
        changes by rounding at most; moments of optimizers mean nothing afterwards (Trainer.step() begins them anew).
        Warns (RuntimeWarning) of layers that have no bits left. Other methods have nothing to do: the report is empty.
        Raises RuntimeError for a frozen model.
        """
        report = RequantizeReport.from_dict(self._core.requantize())
        report.warn(stacklevel=2)
        return report

    def calibrate(self, images: numpy.typing.ArrayLike, *, callback: ImagesCallback | None = None) -> None:
        """Shows raw images to a model that is to be frozen: BSQ notes the largest value of each activation.

        For loops of one's own, with the training images, after the last requantize(); Trainer.fit() does it by itself.
        What earlier calls noted is forgotten. Other methods need none of it.

        Args:
          images: as logits() takes them; at least one.
          callback: called with the number of images done after every batch; returning False stops: Cancelled, and
            nothing is noted.

        Raises ValueError for images that do not fit, RuntimeError for a frozen model.
        """
        self._core.calibrate(self._raw(images), callback)

    def freeze(self) -> FreezeReport:
        """Fixes bits and channels, in place. Parameters are then new tensors: weights, biases and ranges.

        Raises RuntimeError if that has happened already, or if the network has not seen data yet.
        """
        return FreezeReport.from_dict(self._core.freeze())

    def fine_tune(self, data: Data, epochs: int | None = None, *, on_epoch: Callable[..., Any] | None = None,
                  on_step: Callable[..., Any] | None = None, **options: Any) -> Run:
        """Trains weights and ranges of the frozen model on: Trainer(self, data, epochs, **options), with the callbacks
        that its fit() takes.

        Raises RuntimeError unless it is frozen.
        """
        from bitgate.trainer import Trainer  # pylint: disable=import-outside-toplevel

        if not self.frozen:
            raise RuntimeError("fine_tune: expected a frozen model, got one that still learns its bits; freeze() it first")
        return Trainer(self, data, epochs, **options).fit(on_epoch=on_epoch, on_step=on_step)

    def evaluate(self, data: Data | Dataset, *, batch_size: int = 0, predictions: bool = False,
                 callback: ImagesCallback | None = None) -> Evaluation:
        """The test half of `data`, or a Dataset, through the network as frozen networks compute.

        Args:
          data: images and labels that fit the network.
          batch_size: 0: the configuration's.
          predictions: whether to keep the class of every image.
          callback: called with the number of images done after every batch; returning False stops: Cancelled.

        Raises ValueError for data that do not fit, RuntimeError for a network whose activations have not seen data yet.
        """
        dataset = data.test if isinstance(data, Data) else data
        if not isinstance(dataset, Dataset):
            raise TypeError(f"evaluate: expected Data or a Dataset, got {type(dataset).__name__}")
        result = self._core.evaluate(dataset._core, batch_size, predictions, callback)
        if predictions:
            result["predictions"] = numpy.asarray(result["predictions"], dtype=numpy.int32)
        return Evaluation(**result)

    def predict(self, images: numpy.typing.ArrayLike, *, callback: ImagesCallback | None = None
                ) -> numpy.ndarray[Any, Any]:
        """The class of each raw image, int32 [n]: images as logits() takes them."""
        return self._core.predict(self._raw(images), callback).numpy()

    def logits(self, images: numpy.typing.ArrayLike, *, callback: ImagesCallback | None = None
               ) -> numpy.ndarray[Any, Any]:
        """The logits [n, classes] of raw images, as frozen networks compute.

        Args:
          images: as a data set has them, uint8 or float, [n, height, width, channels] (or [n, height, width] of one
            channel), preprocessed as the graph says.
          callback: called with the number of images done after every batch; returning False stops: Cancelled.

        Raises ValueError for shapes and dtypes that do not fit.
        """
        return self._core.logits(self._raw(images), callback).numpy()

    def preprocess(self, images: numpy.typing.ArrayLike) -> Tensor:
        """Raw images, as logits() takes them, the way the network wants them, on its device: what calling it takes."""
        return self._core.preprocessed(self._raw(images))

    def _raw(self, images: Any) -> numpy.ndarray[Any, Any]:
        array = raw_images("images", images)
        shape = self._core.graph.input_shape
        if len(shape) == 3 and shape[2] == 1 and array.ndim == 3 and array.shape[1:] == shape[:2]:
            array = array[..., numpy.newaxis]
        return array

    def export_onnx(self, path: Path) -> list[str]:
        """Writes the frozen model as ONNX that computes what the model computes.

        Opset 13, or 21 if a weight needs 16-bit integers. Returns sentences on layers that became constants, weights
        that do not fit int8 and the like. Raises RuntimeError unless the model is frozen, OSError where the operating
        system refuses.
        """
        return self._core.export_onnx(path)

    def parameters(self) -> dict[str, Tensor]:
        """The parameters by name, in the model's own memory: the same tensors until freeze() or requantize() replaces
        them. All but the running statistics of batch norms, which are not learned, are leaves."""
        return dict(self._core.parameters())

    def bounds(self, name: str) -> tuple[float, float]:
        """(low, high) that training clamps a parameter to after each step. Raises ValueError for an unknown name."""
        return self._core.bounds(name)

    @overload
    def __call__(self, x: Tensor, train: Literal[False] = False, step: int = 0) -> Tensor: ...

    @overload
    def __call__(self, x: Tensor, train: Literal[True], step: int = 0) -> tuple[Tensor, Tensor | None]: ...

    def __call__(self, x: Tensor, train: bool = False, step: int = 0) -> Tensor | tuple[Tensor, Tensor | None]:
        """For loops of one's own: preprocessed images (preprocess()) to logits.

        With `train` gates are drawn, their noise keyed by the configuration's seed and `step`, ops record, and the
        result is (logits, penalty): the regularizer to add to the loss, None where the method has none; each such pass
        moves the running statistics of batch norms. Without, it computes as frozen networks do and records nothing.
        Raises ValueError for images that do not fit, or are not on the model's device.
        """
        if not isinstance(x, Tensor):
            raise TypeError(f"model: expected a Tensor, as preprocess() gives, got {type(x).__name__}; predict() and "
                            "logits() take arrays")
        if operator.index(step) < 0:
            raise ValueError(f"model: expected a step of at least 0, got {step}")
        logits, penalty = self._core.forward(x, train, step)
        return (logits, penalty) if train else logits

    def __deepcopy__(self, memo: dict[int, Any]) -> Model:
        return self._wrapped(self._core.clone())

    def __reduce__(self) -> tuple[Any, ...]:
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, f"{self.graph.name[:100]}.safetensors")
            self.save(path)
            return _unpickle, (path.name, path.read_bytes(), self.device, self.compute)

    def __repr__(self) -> str:
        try:
            state = "frozen" if self.frozen else "not frozen"
        except _core.BusyError:
            state = "in use"
        return f"Model({self.graph.name}, {state}, on {self.device})"

    def _repr_html_(self) -> str:
        try:
            return f"<p>{self!r}</p>{self.bits()._repr_html_()}"
        except RuntimeError:
            return f"<p>{self!r}</p>"


def _unpickle(name: str, checkpoint: bytes, device: str, compute: Compute = "float32") -> Model:
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, name)
        path.write_bytes(checkpoint)
        return Model.load(path, device, compute)


def load(path: Path, device: str = "cpu", compute: Compute = "float32") -> Model:
    """Model.load()."""
    return Model.load(path, device, compute)
