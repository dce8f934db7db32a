"""The engine ``stacked``: forward and backward passes of all lanes by one call of ``vmap``."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from time import perf_counter

from torch import Tensor, nn
from torch.func import functional_call, vmap

from dlcourse.core import Faults, at_least_float32
from dlcourse.together.batch import Batches, Fetch
from dlcourse.together.losses import Losses
from dlcourse.together.masks import MaskShapes, without_dropouts
from dlcourse.together.stack import Stack, Taken
from dlcourse.together.stacked_optimizer import StackedOptimizer
from dlcourse.together.turn import Turn
from dlcourse.together.update import Update
from dlcourse.train.step import set_train_mode
from dlcourse.train.update import checked_numbers, fault_of


class Stacked:
    """Trains lanes with the same architecture on stacked weights.

    The loss of every lane depends on its own weights alone, so the gradient of the sum of all
    losses is the gradient of each.
    """

    name = "stacked"

    def __init__(self, turns: Sequence[Turn]) -> None:
        skeleton = deepcopy(turns[0].lane.state.model)
        set_train_mode(skeleton)
        self.masks = MaskShapes(deepcopy(skeleton))
        self.queue: list[Iterator[Tensor]] = [iter(())]
        without_dropouts(skeleton, self.queue)
        self.skeleton = self.prepared(skeleton)
        self.update = Update()
        self.faults = Faults()
        self.arrange(turns)

    def prepared(self, skeleton: nn.Module) -> nn.Module:
        """Return the model that is called with the weights of every lane."""
        return skeleton

    def arrange(self, turns: Sequence[Turn]) -> None:
        """Stack the weights of these lanes, the only ones from now on."""
        self.places = {turn: place for place, turn in enumerate(turns)}
        self.stack = Stack([turn.lane.state.model for turn in turns])
        self.optimizer = StackedOptimizer(turns, self.stack)
        self.fetch = Fetch(turns, self.masks)
        self.losses = Losses([turn.lane.recipe.loss for turn in turns])

    def keep(self, turns: Sequence[Turn]) -> None:
        """Give lanes that have ended weights of their own, and stack the others."""
        if len(turns) < len(self.places):
            self.stack.release()
            if turns:
                self.arrange(turns)

    def step(self, turns: Sequence[Turn]) -> None:
        """Run the next steps of some lanes, whose batches have the same size."""
        places = [self.places[turn] for turn in turns]
        recipe = turns[0].lane.recipe
        started = perf_counter()
        with recipe.autocast():
            batches = self.fetch(turns, places)
            numbers = self.stack.take(places)
            outputs, losses = self.forward(turns, numbers, batches)
        losses.sum().backward()
        self.stack.put_back(places, numbers.buffers)
        everyone = len(turns) == len(self.places)
        finite = self.finite(turns, places, numbers, losses)
        if not (everyone and len(finite) == len(turns) and self.optimizer(turns, numbers)):
            self.distribute(places, numbers)
            self.update(finite)
        self.measure(turns, batches, outputs, losses)
        share = (perf_counter() - started) / len(turns)
        for turn in turns:
            turn.clock.seconds += share

    def finite(
        self, turns: Sequence[Turn], places: Sequence[int], numbers: Taken, losses: Tensor
    ) -> Sequence[Turn]:
        """Return the lanes whose loss and gradients are finite; the steps of the others fail.

        The numbers of all lanes are looked at as one, and those of a lane only if one is not
        finite.
        """
        stacked = [numbers.parameters[name].grad for name in self.stack.trained]
        gradients = [gradient for gradient in stacked if gradient is not None]
        if not self.faults.any_in([*gradients, losses.detach()]):
            return turns
        self.distribute(places, numbers)
        found = []
        for turn, loss in zip(turns, losses.detach().unbind(), strict=True):
            state = turn.lane.state
            if self.faults.any_in(checked_numbers(state, loss)):
                turn.failed = fault_of(state, loss)
            else:
                found.append(turn)
        return found

    def distribute(self, places: Sequence[int], numbers: Taken) -> None:
        """Give every lane's parameters their gradients, which are views of the stacked ones."""
        stacked = [numbers.parameters[name].grad for name in self.stack.trained]
        each = [gradient.unbind() for gradient in stacked if gradient is not None]
        for group, place in enumerate(places):
            for weight, gradients in zip(self.stack.weights[place], each, strict=True):
                weight.grad = gradients[group]

    def forward(
        self, turns: Sequence[Turn], numbers: Taken, batches: Batches
    ) -> tuple[Tensor, Tensor]:
        """Return the outputs (G, N, K) and the losses (G,) of the lanes."""

        def outputs_of(parameters: dict, buffers: dict, inputs: Tensor, masks: list) -> Tensor:
            self.queue[0] = iter(masks)
            return functional_call(self.skeleton, (parameters, buffers), (inputs,))

        outputs = vmap(outputs_of, randomness="error")(
            numbers.parameters, numbers.buffers, batches.inputs, batches.masks
        )
        places = [self.places[turn] for turn in turns]
        return outputs, self.losses(places, at_least_float32(outputs), batches.targets)

    def measure(
        self, turns: Sequence[Turn], batches: Batches, outputs: Tensor, losses: Tensor
    ) -> None:
        """Add every lane's outputs to its meter."""
        every = zip(
            turns, outputs.detach().unbind(), batches.targets, losses.detach().unbind(), strict=True
        )
        for turn, own, targets, loss in every:
            assert turn.next is not None
            turn.next.runner.meter.add(own, targets, loss)
