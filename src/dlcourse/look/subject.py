"""Open a finished run to look at: its network, its data, and the examples that are shown."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from dlcourse.core import Dataset, Split
from dlcourse.data.image_file import reading_of
from dlcourse.data.read_many import read_images
from dlcourse.engine.datasets import examples_to_test, load_data, split_training_data
from dlcourse.engine.reopen import Opened, config_of, open_model
from dlcourse.errors import UserError
from dlcourse.introspect.classification import as_probabilities
from dlcourse.introspect.undisturbed import undisturbed
from dlcourse.look.layers import LookLayer, layers_that_ran
from dlcourse.look.registry import NotApplicableError
from dlcourse.look.request import Request
from dlcourse.permutations import random_order, stratified_order
from dlcourse.random_streams import Purpose, mix
from dlcourse.train.rng import restore_rng_states, rng_states

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Drawing:
    """One plot, or the frames of an animation.

    name: what distinguishes it from others of the same ``what``, such as the layer; may be empty.
    figures: one, or the frames of an animation. seen: one line with numbers. line_art: whether it
    has lines and text rather than images, and is written as SVG too.
    """

    name: str
    figures: Sequence["Figure"]
    seen: str
    line_art: bool = False


@dataclass(frozen=True)
class Examples:
    """The examples that are shown.

    inputs: raw, (N, C, H, W) uint8 or (N, D) float, on the model's device. targets: (N,) classes or
    (N, K) values on the CPU, None for images from files. labels: a name for each.
    """

    inputs: Tensor
    targets: Tensor | None
    labels: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.inputs)


@dataclass(frozen=True)
class Subject:
    """A finished run's model, opened without compilation, with what is needed to look into it.

    folder: of the run or the fold. opened: the model and how it is evaluated. Its weights have no
    gradients. config, result: the run's. seed: the run's.
    """

    folder: Path
    opened: Opened
    config: Mapping[str, Any]
    result: Mapping[str, Any]
    seed: int

    @property
    def network(self) -> nn.Module:
        """The network in evaluation mode: standardised inputs -> outputs (N, K)."""
        return self.opened.model.network

    @property
    def device(self) -> torch.device:
        """The device of the model."""
        return self.opened.model.mean.device

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes; empty for a regression."""
        return tuple(self.result["classes"])

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of an example: (C, H, W) or (D,)."""
        return self.opened.input_shape

    @property
    def of_images(self) -> bool:
        """Whether the inputs are images."""
        return len(self.input_shape) == 3

    def prepared(self, inputs: Tensor) -> Tensor:
        """Return raw inputs (N, ...) standardised and in the network's memory order.

        Gradients flow through it to inputs that are floats.
        """
        model = self.opened.model
        return model.prepare(model.standardize(inputs))

    def outputs(self, inputs: Tensor) -> Tensor:
        """Return the network's outputs (N, K) for raw inputs (N, ...)."""
        return self.network(self.prepared(inputs))

    @torch.no_grad()
    def probabilities(self, inputs: Tensor) -> Tensor:
        """Return a classifier's probabilities (N, K) for raw inputs, on the CPU."""
        return as_probabilities(self.outputs(inputs).float(), self.opened.task).cpu()

    @cached_property
    def layers(self) -> list[LookLayer]:
        """The layers in the order in which they end, with the shapes of their outputs."""
        empty = torch.zeros(1, *self.input_shape, device=self.device)
        return layers_that_ran(self.network, self.prepared(empty))

    @cached_property
    def dataset(self) -> Dataset:
        """The data set, read when it is first needed.

        Raises UserError if its examples or classes are not those of the run.
        """
        dataset = load_data(dict(self.config))
        then = tuple(self.result["input_shape"]), tuple(self.result["classes"])
        if (dataset.input_shape, dataset.classes) != then:
            raise UserError(
                "The data are not those of the run: their shape or classes differ.\n"
                "Type data.root=<folder of the run's data>"
            )
        return dataset

    @cached_property
    def test(self) -> Split:
        """The test examples of the run or the fold."""
        parts = {part.name: part for part in split_training_data(dict(self.config), self.dataset)}
        name = self.folder.resolve().name
        return examples_to_test(self.dataset, parts[name if name in parts else "."])

    def examples(self, options: Mapping[str, Any]) -> Examples:
        """Return the examples that the options ``images`` and ``examples`` name.

        By default they are test examples, of all classes in turn.
        """
        named = options.get("images", ())
        if named and isinstance(named[0], Path):
            if not self.of_images:
                raise NotApplicableError("images= needs a run on images")
            channels, height, width = self.input_shape
            if height != width:
                raise UserError("Images from files need a model of square images")
            reading = reading_of(self.config["data"], height, channels)
            pixels = torch.from_numpy(read_images(named, reading))
            return Examples(pixels.to(self.device), None, tuple(path.stem for path in named))
        index = torch.tensor(named, dtype=torch.int64) if named else self.mixed_order(options)
        if int(index.max()) >= len(self.test):
            raise UserError(f"The test part has {len(self.test):,} examples, numbered from 0")
        ((inputs, targets),) = self.test.batches([index.to(self.test.device)])
        labels = []
        for number, target in zip(index.tolist(), targets, strict=True):
            is_class = self.classes and not target.is_floating_point()
            labels.append(f"test {number}" + (f": {self.classes[int(target)]}" if is_class else ""))
        return Examples(inputs.to(self.device), targets.cpu(), tuple(labels))

    def mixed_order(self, options: Mapping[str, Any]) -> Tensor:
        """Return the positions (n,) of test examples, of all classes in turn."""
        targets = self.test.targets
        mixed = bool(self.classes) and not targets.is_floating_point()
        order = (
            stratified_order(targets, self.seed, Purpose.SHOWN)
            if mixed
            else random_order(len(self.test), self.seed, Purpose.SHOWN)
        )
        return order[: options["examples"]]


def open_subject(request: Request) -> Subject:
    """Open the model of a request; the data are read later, and only if they are needed.

    Raises UserError for a config that calls untrusted code, and for a damaged checkpoint.
    """
    with same_random_numbers():
        trust = [name for name in request.trust.strip("[]").split(",") if name]
        opened = open_model(request.folder, trust=trust)
        config = config_of(request.folder, request.trust)
    if request.data_root:
        config["data"]["root"] = request.data_root
    opened.model.requires_grad_(False)
    return Subject(request.folder, opened, config, request.result, config["seed"])


def drawings(subject: Subject, what: str, options: Mapping[str, Any]) -> list[Drawing]:
    """Draw one ``what``; the model and the states of all random number generators stay the same."""
    module = import_module(f"dlcourse.look.{what}")
    try:
        with undisturbed(subject.network, mix(subject.seed, 0, Purpose.SHOWN)):
            return module.look_at(subject, options)
    except NotApplicableError as error:
        named = f"what={what}" in str(error)
        raise NotApplicableError(str(error) if named else f"what={what}: {error}") from error


@contextmanager
def same_random_numbers() -> Iterator[None]:
    """Restore the states of all random number generators after the block."""
    states = rng_states()
    try:
        yield
    finally:
        restore_rng_states(states)
