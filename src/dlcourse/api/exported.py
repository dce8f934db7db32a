"""An exported model, opened from its folder."""

from collections.abc import Callable, Iterable
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcourse.api.isolation import isolated, isolated_torch
from dlcourse.export.formats import CARD_FILE
from dlcourse.terminal.installed import short_path

if TYPE_CHECKING:
    from torch import Tensor


class ExportedModel:
    """An exported model: predictions, class names and the card, without the run and its data.

    ``dlcourse.load`` returns one for a folder that ``dlcourse export`` has written.

    folder: of the export. trust: modules outside dlcourse that the model of an export of weights
    may call; a format that holds the computation needs none.
    """

    def __init__(self, folder: str | PathLike[str], *, trust: Iterable[str] = ()) -> None:
        self.folder = Path(folder)
        self._trust = tuple(trust)

    @cached_property
    def facts(self) -> dict[str, Any]:
        """The content of ``model.json``: classes, inputs, outputs, metrics, config ..."""
        from dlcourse.export.open_export import read_facts

        return read_facts(self.folder)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the probabilities; empty for a regression."""
        return tuple(self.facts["classes"])

    @property
    def card(self) -> str:
        """The card of the model, the text of its ``README.md``."""
        return (self.folder / CARD_FILE).read_text(encoding="utf-8")

    @cached_property
    def _predict(self) -> "Callable[[Tensor], Tensor]":
        from dlcourse.export.open_export import open_predictor

        with isolated(), isolated_torch():
            return open_predictor(self.folder, self.facts, trust=self._trust)

    def predict(self, inputs: Any) -> "Tensor":
        """Return the class probabilities or values (N, K) of raw inputs, as ``Run.predict`` does.

        inputs: uint8 images (N, C, H, W), or float features (N, D) in the data set's units, as a
        tensor, an array or nested lists. An export of a run on a table takes a table as well, as
        ``Run.predict`` does. Computed in float32 on the CPU.

        Raises UserError for inputs of another shape or type.
        """
        from dlcourse.export.open_export import predict_in_batches

        with isolated(), isolated_torch():
            return predict_in_batches(self._predict, self.folder, self.facts, inputs)

    def __repr__(self) -> str:
        about = f"{self.facts['format']}, {self.facts['name']}"
        return f"<dlcourse.ExportedModel {about} in {short_path(self.folder)}>"
