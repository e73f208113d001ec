"""Progress bars, where tqdm is installed and somebody looks."""

from __future__ import annotations

import importlib
import sys
from typing import Any, Literal

from bitgate._core import StepSummary

Progress = bool | Literal["auto"]


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return type(shell).__name__ == "ZMQInteractiveShell"


def _tqdm(notebook: bool, missing_is_fine: bool) -> Any:
    """A bar; None where tqdm is missing."""
    options = {"total": None, "unit": "step", "dynamic_ncols": True}
    try:
        if notebook:
            try:
                return importlib.import_module("tqdm.notebook").tqdm(**options)
            except ImportError:  # without its widgets
                pass
        return importlib.import_module("tqdm").tqdm(**options)
    except ModuleNotFoundError:
        if missing_is_fine:
            return None
        raise


class Bar:
    """A bar over all steps of a run; nothing at all where none is wanted.

    "auto": in a notebook, or where the standard error is a terminal. True wants tqdm (else ModuleNotFoundError).
    """

    def __init__(self, progress: Progress) -> None:
        self._bar: Any = None
        notebook = _in_notebook()
        if progress is False or progress == "auto" and not (notebook or sys.stderr.isatty()):
            return
        self._bar = _tqdm(notebook, missing_is_fine=progress == "auto")

    @property
    def shown(self) -> bool:
        """Whether there is one."""
        return self._bar is not None

    def update(self, summary: StepSummary) -> None:
        """Moves it to where training stands."""
        bar = self._bar
        if bar.total is None:
            bar.reset(total=summary.total_steps)
            bar.initial = bar.n = summary.total_steps_done
        bar.n = summary.total_steps_done
        what = "evaluating" if summary.evaluating else summary.phase
        bar.set_description(f"{what} {summary.epoch}/{summary.epochs}", refresh=False)
        bar.set_postfix_str(f"loss {summary.loss:.4f}, accuracy {summary.accuracy:.2%}", refresh=False)
        bar.refresh()

    def close(self) -> None:
        """Leaves it as it is."""
        if self._bar is not None:
            self._bar.close()
