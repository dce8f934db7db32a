"""The reference of every average of the weights."""

from contextlib import nullcontext
from types import SimpleNamespace

import torch
from references.row import Row
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn

from dlcourse.core import Fold, Split, Standardize
from dlcourse.engine.instantiate import build


def moved(model: nn.Module) -> None:
    """Change every weight, and the statistics of the norm."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter))
    model(torch.randn(8, 4).double())


def net() -> nn.Module:
    """Return a small net with norm statistics, in double precision."""
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Linear(6, 2)).double()


def none(compose):
    """Return how far the evaluated weights are from the trained ones after a step."""
    model, average = net(), build(compose("average=none")["average"])()
    averaged = average.start(model)
    moved(model)
    average.update(averaged, model, 0)
    return float((averaged[0].weight - model[0].weight).detach().abs().max())


def ema(compose):
    """Compare with torch's average from step 1,000 on, where the decay has its final value."""
    model, average = net(), build(compose("average=ema", "average.decay=0.9")["average"])()
    averaged = average.start(model)
    theirs = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True)
    theirs.n_averaged += 1  # otherwise the first update copies the weights
    for step in range(1000, 1010):
        moved(model)
        average.update(averaged, model, step)
        theirs.update_parameters(model)
    ours, other = averaged.state_dict(), theirs.module.state_dict()
    floats = [name for name in ours if ours[name].is_floating_point()]
    return max(float((ours[name] - other[name]).abs().max()) for name in floats)


def lookahead(compose):
    """Compare with the paper's algorithm by hand on changing weights, with a decay that grows."""
    overrides = ["average=lookahead", "average.every=3", "average.decay=0.8", "average.power=2"]
    average = build(compose(*overrides)["average"])(steps=10)
    model = net()
    slow_model = average.start(model)
    fast = model[0].weight.detach().numpy().copy()
    slow, worst = fast.copy(), 0.0
    for step in range(10):
        before = model[0].weight.detach().numpy().copy()
        moved(model)
        fast = fast + (model[0].weight.detach().numpy() - before)
        if step in (2, 5, 8, 9):
            decay = 0.8 * ((step + 1) / 10) ** 2
            slow = slow + (1 - decay) * (fast - slow)
            fast = slow.copy()
        average.update(slow_model, model, step)
        for ours, theirs in ((model, fast), (slow_model, slow)):
            worst = max(worst, abs(ours[0].weight.detach().numpy() - theirs).max())
    return worst


def swa(compose):
    """Compare the weights and the norm statistics with torch's AveragedModel and update_bn."""
    average = build(compose("average=swa", "average.start=2", "average.every=2")["average"])(
        steps=21, steps_per_epoch=3
    )
    model = net()
    averaged, theirs = average.start(model), AveragedModel(model)
    inputs = torch.randn(30, 4).double()
    train = Split(inputs, torch.zeros(30, 2).double())
    nothing = Standardize(torch.zeros(()).double(), torch.ones(()).double())
    recipe = SimpleNamespace(batch_size=8, prepare=lambda x: x, autocast=nullcontext)
    state = SimpleNamespace(model=model, averaged=averaged, history=[])
    worst = 0.0
    for step in range(21):
        moved(model)
        average.update(averaged, model, step)
        if step in (5, 11, 17):  # after the epochs 2, 4 and 6
            theirs.update_parameters(model)
        if step % 3 < 2:
            continue
        average.settle(state, Fold(".", train, None, nothing), recipe)
        state.history.append(None)
        if step >= 5:
            update_bn(inputs.split(8), theirs)
            reference = theirs.module.state_dict()
            ours = averaged.state_dict()
            worst = max(worst, *(float((ours[k] - reference[k]).abs().max()) for k in ours))
        else:
            assert torch.equal(averaged[0].weight, model[0].weight), "the weights themselves"
    return worst


ROWS = {
    "swa": Row("torch.optim.swa_utils.AveragedModel and update_bn, 7 epochs", swa, 1e-12),
    "none": Row("the weights themselves", none, 0),
    "lookahead": Row("algorithm 1 by hand, 10 steps", lookahead, 1e-12),
    "ema": Row("torch.optim.swa_utils.AveragedModel, 10 steps", ema, 1e-12),
}
