"""What models and training tell about themselves: values that print, and show themselves in notebooks."""

from __future__ import annotations

import dataclasses
import html
import json
import warnings
from typing import Any

import numpy


def _cell(value: Any) -> str:
    if value is None:
        return "float"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)


def html_table(rows: list[dict[str, Any]], footer: dict[str, Any] | None = None) -> str:
    """Dicts of equal keys as a table; `footer` is a line in bold."""
    if not rows:
        return ""

    def line(row: dict[str, Any], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(_cell(row.get(key, '')))}</{tag}>" for key in rows[0]) + "</tr>"

    head = line({key: key.replace("_", " ") for key in rows[0]}, "th")
    foot = f"<tfoot>{line(footer, 'th')}</tfoot>" if footer else ""
    return f"<table><thead>{head}</thead><tbody>{''.join(line(row, 'td') for row in rows)}</tbody>{foot}</table>"


class BitReport:
    """Where a network's bits are, and where its bit operations go. str() is a table to be read.

    Attributes:
      network: the network's name.
      rows: a dict for each layer: layer, kind, weight_bits, activation_bits (None: no weight, or not quantized),
        kept_channels, channels, macs, bops (per image), bops_share (0 to 1), bytes.
      totals: kept_channels, channels, macs, bops, relative_bops (to 32-bit weights and activations, 0 to 1), bytes,
        float_bytes.
    """

    def __init__(self, table: str, text: str) -> None:
        report = json.loads(text)
        self.network: str = report["network"]
        self.rows: list[dict[str, Any]] = report["layers"]
        self.totals: dict[str, Any] = report["totals"]
        self._table = table
        self._json = text

    def to_dicts(self) -> list[dict[str, Any]]:
        """A copy of rows, for pandas.DataFrame and the like."""
        return [dict(row) for row in self.rows]

    def json(self) -> str:
        """One line: {"network": ..., "layers": [rows], "totals": {...}}, keys always in the same order."""
        return self._json

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.rows[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BitReport) and self._json == other._json

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return self._table.rstrip("\n")

    def __repr__(self) -> str:
        return f"BitReport({self.network}: {len(self.rows)} layers, {self.totals['relative_bops']:.2%} of the BOPs)"

    def _repr_html_(self) -> str:
        return html_table(self.rows, {"layer": "total", **self.totals, "bops_share": self.totals["relative_bops"]})


@dataclasses.dataclass(frozen=True)
class FrozenSite:
    """What freezing did to one quantized tensor.

    Attributes:
      name: "conv1/weight", "conv1/output".
      bits: its width from now on.
      kept_channels, channels: of weights; else 0.
      changed_codes, codes: of weights: how many codes the one rounding of freezing gives differently.
    """

    name: str
    bits: int
    kept_channels: int
    channels: int
    changed_codes: int
    codes: int


@dataclasses.dataclass(frozen=True)
class FreezeReport:
    """What freezing did.

    Attributes:
      sites: every quantized tensor, in the order of the graph.
      notes: sentences on what could not be kept as it was (layers pruned whole, ...).
    """

    sites: list[FrozenSite]
    notes: list[str]

    @classmethod
    def from_dict(cls, report: dict[str, Any]) -> FreezeReport:
        """From what the core gives."""
        return cls([FrozenSite(**site) for site in report["sites"]], report["notes"])

    def to_dicts(self) -> list[dict[str, Any]]:
        """A dict for each site."""
        return [dataclasses.asdict(site) for site in self.sites]

    def __str__(self) -> str:
        lines = [f"{site.name}: {site.bits} bits" +
                 (f", {site.kept_channels} of {site.channels} channels" if site.channels else "")
                 for site in self.sites]
        return "\n".join(lines + self.notes)

    def _repr_html_(self) -> str:
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)
        return html_table(self.to_dicts()) + notes


@dataclasses.dataclass(frozen=True)
class RequantizedTensor:
    """What re-quantization did to one weight or bias.

    Attributes:
      name: "conv1/weight", "conv1/bias".
      bits_before, bits: its width; 0: all its values are zero.
    """

    name: str
    bits_before: int
    bits: int


@dataclasses.dataclass(frozen=True)
class RequantizeReport:
    """What re-quantization did.

    Attributes:
      tensors: every weight and bias, in the order of the graph; none for a method that has nothing to re-quantize.
      warnings: sentences on layers that have no bits left.
    """

    tensors: list[RequantizedTensor]
    warnings: list[str]

    @classmethod
    def from_dict(cls, report: dict[str, Any]) -> RequantizeReport:
        """From what the core gives."""
        return cls([RequantizedTensor(**tensor) for tensor in report["tensors"]], report["warnings"])

    def to_dicts(self) -> list[dict[str, Any]]:
        """A dict for each tensor."""
        return [dataclasses.asdict(tensor) for tensor in self.tensors]

    def warn(self, stacklevel: int = 1) -> None:
        """Issues the warnings as RuntimeWarnings, in the name of the caller `stacklevel` calls up."""
        for text in self.warnings:
            warnings.warn(text, RuntimeWarning, stacklevel=stacklevel + 1)

    def __str__(self) -> str:
        lines = [f"{tensor.name}: {tensor.bits_before} -> {tensor.bits} bits" for tensor in self.tensors]
        return "\n".join(lines + self.warnings)

    def _repr_html_(self) -> str:
        texts = "".join(f"<p>{html.escape(text)}</p>" for text in self.warnings)
        return html_table(self.to_dicts()) + texts


@dataclasses.dataclass(frozen=True)
class LoadedWeight:
    """One parameter and the tensor that it came from.

    Attributes:
      parameter: "conv1/weight".
      tensor: its name in the file.
      shape: in the file.
      reordered: what became of its layout, "OIHW to OHWI" or "CHW to HWC"; empty: nothing.
    """

    parameter: str
    tensor: str
    shape: tuple[int, ...]
    reordered: str


@dataclasses.dataclass(frozen=True)
class WeightsReport:
    """What Model.load_float_weights() took. str() is a table to be read.

    Attributes:
      weights: every parameter, in the order of the graph.
    """

    weights: list[LoadedWeight]
    _table: str = dataclasses.field(repr=False, compare=False)

    def to_dicts(self) -> list[dict[str, Any]]:
        """A dict for each parameter."""
        return [dataclasses.asdict(weight) for weight in self.weights]

    def __len__(self) -> int:
        return len(self.weights)

    def __getitem__(self, index: int) -> LoadedWeight:
        return self.weights[index]

    def __str__(self) -> str:
        return self._table.rstrip("\n")

    def _repr_html_(self) -> str:
        return html_table(self.to_dicts())


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What a network makes of a data set.

    Attributes:
      images: their number.
      correct: how many have the label's logit as the largest.
      accuracy: correct / images, 0 to 1.
      loss: mean cross-entropy.
      predictions: int32 [images], the classes, if they were asked for; else None.
    """

    images: int
    correct: int
    accuracy: float
    loss: float
    predictions: numpy.ndarray[Any, Any] | None = dataclasses.field(default=None, repr=False, compare=False)


@dataclasses.dataclass(frozen=True)
class EpochSummary:
    """An epoch that has ended. Accuracies and relative_bops are from 0 to 1.

    Attributes:
      line: number of the epoch in the run, from 1.
      phase: "gates" (bits and channels learn) or "fine_tune" (they are frozen).
      epoch, epochs: from 1, of the phase; of how many.
      global_step: steps of the run.
      train_loss, train_penalty, train_accuracy: means over the epoch.
      test_loss, test_accuracy: at its end, as frozen networks compute.
      penalty, objective: the regularizer at its end; test_loss + penalty.
      best: whether the objective is the lowest of the phase so far.
      relative_bops: to 32-bit weights and activations.
      weight_compression: 32 bits each over their bits, of the weights that are quantized.
      bytes: of weights and biases.
      learning_rates: of the last step: weights, gates, ranges.
      bits: of every quantized tensor, by its name.
      kept_channels: (kept, all) of every weight.
    """

    line: int
    phase: str
    epoch: int
    epochs: int
    global_step: int
    train_loss: float
    train_penalty: float
    train_accuracy: float
    test_loss: float
    test_accuracy: float
    penalty: float
    objective: float
    best: bool
    relative_bops: float
    weight_compression: float
    bytes: int
    learning_rates: dict[str, float]
    bits: dict[str, int]
    kept_channels: dict[str, tuple[int, int]]

    def to_dict(self) -> dict[str, Any]:
        """With the names as keys, as in the log of a run."""
        return dict(vars(self))
