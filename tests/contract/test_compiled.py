"""A compiled model trains as the eager one, with every optimizer.

Compiling takes seconds to a minute for each model, so these tests run separately:
``python -m pytest -m compiled``. The tests without this mark cost milliseconds.
"""

from contextlib import contextmanager

import pytest
import torch
from conftest import option_facts, options, prepared
from test_training import DESIGNS, narrow
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from dlcourse.core import Fold, State, objective

ATEN = torch.ops.aten
EXACT = 1e-9  # of the norm of all gradients, in float64
LOSSES = sorted(set(options("loss")) - {"mse"})


class NoEqualFloats(TorchDispatchMode):
    """Fails where two tensors of floats are compared for equality.

    A compiler computes such a value twice, once rounded to bf16 for memory and once not, and the
    two differ: the gradient of ``amax`` then divides by the number of places that hold the
    maximum, which is 0.
    """

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function in (ATEN.eq.Tensor, ATEN.ne.Tensor):
            assert not args[0].is_floating_point(), "two tensors of floats are compared"
        return function(*args, **(kwargs or {}))


def differentiate(state: State, fold: Fold, recipe, examples: int = 8) -> dict[str, torch.Tensor]:
    """Return the gradient of every weight, by name, on the first examples."""
    state.model.train()
    inputs, targets = fold.train.inputs[:examples], fold.train.targets[:examples]
    torch.manual_seed(0)
    state.optimizer.zero_grad()
    inputs = recipe.prepare(fold.standardize(inputs))
    objective(state, inputs, targets, recipe)[-1].backward()
    named = state.model.named_parameters()
    return {name: weight.grad.clone() for name, weight in named if weight.grad is not None}


def of_a_design(compose, model: str, *overrides: str):
    """Return the config of a narrow model on the digits."""
    more = [f"model={model}", "runtime=cpu", "data.examples=60", "observe=[]", "max_epochs=2"]
    cfg = narrow(compose("data=digits", *more, *overrides))
    if "dropout" in cfg["model"]:
        cfg["model"]["dropout"] = 0.0  # compiled, NHWC maps draw their masks in another order
    if cfg["model"].get("depth", 0) >= 20:
        cfg["model"]["depth"] = 8
    return cfg


@pytest.mark.parametrize("model", DESIGNS.values())
def test_no_gradient_of_a_model_compares_floats_for_equality(model, compose):
    made = prepared(of_a_design(compose, model))
    with NoEqualFloats():
        assert differentiate(*made)


@pytest.mark.parametrize("loss", LOSSES)
def test_no_gradient_of_a_loss_or_penalty_compares_floats_for_equality(loss, compose):
    penalties = f"regularizer=[{','.join(options('regularizer'))}]"
    values = option_facts("loss", loss)["task"] == "regression"
    data = ["data=sine", "metric=[rmse]", "monitor=val/loss", "mode=min"] if values else []
    made = prepared(of_a_design(compose, "mlp", *data, f"loss={loss}", penalties))
    with NoEqualFloats():
        assert differentiate(*made)


def test_the_gradient_of_amax_compares_floats_for_equality():
    maps = torch.randn(2, 3, 4, requires_grad=True)
    with NoEqualFloats(), pytest.raises(AssertionError, match="floats are compared"):
        maps.amax(2).sum().backward()


@contextmanager
def compiled_by(backend: str):
    """Compile models with one of PyTorch's backends; dropout masks are those of eager mode."""
    from torch._inductor import config

    torch._dynamo.reset()
    compile_ = nn.Module.compile
    with config.patch(fallback_random=True), pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            nn.Module,
            "compile",
            lambda model, **options: compile_(model, backend=backend, **options),
        )
        yield


def both(cfg) -> tuple[tuple, tuple]:
    """Return state, fold and recipe of a config twice: eager, and with a compiled model."""
    plain = prepared(cfg)
    cfg["runtime"]["compile"] = True
    compiled = prepared(cfg)
    assert compiled[0].model._compiled_call_impl is not None
    compiled[0].model.load_state_dict(plain[0].model.state_dict())
    return plain, compiled


@torch.no_grad()
def leave_kinks(model: nn.Module) -> None:
    """Add some noise to all weights, the same in every precision.

    Weights that start at 0 put sums on the kink of a ReLU, and a spatial transformer's samples on
    pixels: there one rounding or another decides which of two gradients is right.
    """
    draws = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        parameter += 0.02 * torch.randn(parameter.shape, generator=draws)


def gradients(model: str, precision: str, backend: str, compose) -> tuple[dict, dict]:
    """Return the gradients of a model, eager and compiled."""
    with compiled_by(backend):
        made = both(of_a_design(compose, model, f"runtime.precision={precision}"))
        for state, *_ in made:
            leave_kinks(state.model)
        return tuple(differentiate(*one) for one in made)


def distance(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    """Return the largest distance of two gradients, relative to the norm of all of the first."""
    assert one.keys() == other.keys()
    whole = torch.stack([gradient.norm() for gradient in one.values()]).norm()
    return max(((other[name] - one[name]).norm() / whole).item() for name in one)


def train(state: State, fold: Fold, recipe, steps: int = 3) -> None:
    """Take some training steps on all examples."""
    state.model.train()
    torch.manual_seed(0)
    inputs = recipe.prepare(fold.standardize(fold.train.inputs))
    for _ in range(steps):
        recipe.step(state, inputs, fold.train.targets, recipe)


def compare_training(optim: str, backend: str, compose) -> float:
    """Return the distance of the final weights, relative to their distance from the start."""
    overrides = [*OVERRIDES_OF.get(optim, ["model=mlp", "model.dropout=0.2"]), f"optim={optim}"]
    cfg = compose("data.examples=60", "runtime=cpu", "observe=[]", *overrides)
    with compiled_by(backend):
        plain, compiled = both(cfg)
        before = nn.utils.parameters_to_vector(plain[0].model.parameters()).detach().clone()
        for made in (plain, compiled):
            train(*made)
    ends = [nn.utils.parameters_to_vector(made[0].model.parameters()) for made in (plain, compiled)]
    assert (ends[0] - before).norm() > 0
    return ((ends[1] - ends[0]).norm() / (ends[0] - before).norm()).item()


OVERRIDES_OF = {
    "closed_form": ["data=diabetes", "model=linear"],
}


@pytest.mark.parametrize("optim", ["adam", "lbfgs", "sam"])  # two call the model more than once
def test_an_optimizer_updates_a_traced_model_like_the_eager_one(optim, compose):
    assert compare_training(optim, "aot_eager", compose) < 1e-5


@pytest.mark.compiled
@pytest.mark.parametrize("optim", options("optim"))
def test_an_optimizer_updates_a_compiled_model_like_the_eager_one(optim, compose):
    rounding = 0.1 if optim == "lbfgs" else 1e-3  # its line search branches on the last bits
    assert compare_training(optim, "inductor", compose) < rounding


@pytest.mark.compiled
@pytest.mark.parametrize("model", DESIGNS.values())
def test_a_compiled_model_has_the_gradients_of_the_eager_one(model, compose):
    exact, compiled = gradients(model, "fp64", "inductor", compose)
    assert distance(exact, compiled) < EXACT
    for precision in ("fp32", "bf16"):  # the compiled model rounds differently, not more
        rounded, compiled = gradients(model, precision, "inductor", compose)
        assert distance(exact, compiled) < 3 * distance(exact, rounded) + 1e-5, precision
