"""Bitgate: learned bit widths and pruning of neural networks, from training to an exported integer model.

    import bitgate as bg

    net = bg.models.lenet5(quantizer=bg.BayesianBits(mu=0.1))
    run = bg.Trainer(net, bg.data.mnist("/path"), epochs=100).fit()
    net.freeze()
    run.fine_tune(epochs=10)
    net.export_onnx("m.onnx")
    print(net.bits())

Beneath are tensors that record what ops do with them (tensor, ops, Tensor.backward), for loops of one's own.

Errors are the usual classes with the library's message, "where: expected ..., got ...": ValueError for a value, shape
or dtype that is wrong, TypeError for a wrong type, FileNotFoundError, DataError (a ValueError) for damaged files,
RuntimeError for what does not fit the state (export before freeze, a loss that is not finite), OSError where the
operating system refuses, MemoryError, NotImplementedError for a device that this build lacks, and Cancelled, BusyError
and ForkedError (RuntimeErrors).

Threads: tensors may be shared, and each thread records by itself; a model or trainer is for one call at a time, and a
second thread, or a callback that calls back, gets BusyError. Long calls let other threads run and stop at Ctrl-C.
"""

import atexit as _atexit

import numpy as _numpy

from bitgate import _core, data, models, ops
from bitgate._core import BusyError, Cancelled, Config, DataError, ForkedError, Graph, StepSummary, Tensor
from bitgate._core import from_dlpack, get_threads, recipes, set_threads
from bitgate.data import Data, Dataset
from bitgate.graph import GraphBuilder
from bitgate.model import Model, load
from bitgate.quantizers import BSQ, BayesianBits, Float
from bitgate.reports import BitReport, EpochSummary, Evaluation, FreezeReport, FrozenSite
from bitgate.reports import LoadedWeight, RequantizedTensor, RequantizeReport, WeightsReport
from bitgate.tensors import describe, from_numpy, get_compute, is_grad_enabled, no_grad, set_compute, tensor, zeros
from bitgate.tensors import zeros_like
from bitgate.trainer import Run, StepResult, Trainer

__version__: str = _core.version

float32 = _numpy.dtype("float32")
int32 = _numpy.dtype("int32")
int8 = _numpy.dtype("int8")
uint8 = _numpy.dtype("uint8")

# Training in a daemon thread would otherwise go on while the interpreter is taken down.
_atexit.register(_core.stop_at_exit)

__all__ = [
    "BSQ",
    "BayesianBits",
    "BitReport",
    "BusyError",
    "Cancelled",
    "Config",
    "Data",
    "DataError",
    "Dataset",
    "EpochSummary",
    "Evaluation",
    "Float",
    "ForkedError",
    "FreezeReport",
    "FrozenSite",
    "Graph",
    "GraphBuilder",
    "LoadedWeight",
    "Model",
    "RequantizeReport",
    "RequantizedTensor",
    "Run",
    "StepResult",
    "StepSummary",
    "Tensor",
    "Trainer",
    "WeightsReport",
    "data",
    "describe",
    "float32",
    "from_dlpack",
    "from_numpy",
    "get_compute",
    "get_threads",
    "int32",
    "int8",
    "is_grad_enabled",
    "load",
    "models",
    "no_grad",
    "ops",
    "recipes",
    "set_compute",
    "set_threads",
    "tensor",
    "uint8",
    "zeros",
    "zeros_like",
]
