"""The paths: each is that of PyTorch's own optimizer, or of the update rule by hand."""

import math
from itertools import pairwise

import pytest
import torch
from conftest import options

from dlcourse.errors import UserError
from dlcourse.race.arguments import read_race
from dlcourse.race.racers import NOT_RACED, chosen_names
from dlcourse.race.surfaces import SURFACES
from dlcourse.race.trajectory import Trajectory, follow, gradient_noise

STEPS = 12
TORCHS = {
    "gd": (torch.optim.SGD, {}),
    "sgd": (torch.optim.SGD, {}),
    "momentum": (torch.optim.SGD, {"momentum": 0.9}),
    "nesterov": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    "adagrad": (torch.optim.Adagrad, {}),
    "adadelta": (torch.optim.Adadelta, {}),
    "rmsprop": (torch.optim.RMSprop, {}),
    "adam": (torch.optim.Adam, {}),
    "amsgrad": (torch.optim.Adam, {"amsgrad": True}),
    "adamw": (torch.optim.AdamW, {"weight_decay": 0.01}),
    "nadam": (torch.optim.NAdam, {}),
}


def race(*args: str) -> list[Trajectory]:
    """Return the paths of a race with these arguments."""
    found = read_race([f"steps={STEPS}", *args], "")
    noise = gradient_noise(found.noise, found.steps, found.seed) if found.noise else None
    way = (found.surface.function, found.start, found.steps, found.surface.window, noise)
    return [follow(racer.config, *way) for racer in found.racers]


def by_torch(name: str, surface: str, rate: float) -> list[tuple[float, float]]:
    """Return the positions of PyTorch's optimizer with its own step and closure."""
    place = SURFACES[surface]
    weight = torch.tensor([place.start], dtype=torch.float64, requires_grad=True)
    make, keys = TORCHS[name]
    optimizer = make([weight], lr=rate, **keys)
    positions = [place.start]
    for _ in range(STEPS):
        optimizer.zero_grad()
        place.function(weight[:, 0], weight[:, 1]).sum().backward()
        optimizer.step()
        positions.append(tuple(weight.detach()[0].tolist()))
    return positions


@pytest.mark.parametrize("surface", ["ravine", "rosenbrock"])
@pytest.mark.parametrize("name", TORCHS)
def test_a_path_is_that_of_pytorchs_optimizer(name, surface):
    rate = 0.001
    (path,) = race(f"optim={name}", f"surface={surface}", f"lr={rate}")
    expected = torch.tensor(by_torch(name, surface, rate))
    torch.testing.assert_close(torch.tensor(path.positions), expected, rtol=1e-9, atol=1e-12)
    assert path.gradients == list(range(STEPS + 1))


def test_plain_descent_in_the_ravine_is_a_product_by_hand():
    (path,) = race("optim=sgd", "lr=0.09")
    for step, (x, y) in enumerate(path.positions):
        assert x == pytest.approx(-4 * (1 - 0.09) ** step)
        assert y == pytest.approx((1 - 0.09 * 20) ** step)


def test_a_step_of_sam_is_its_rule_by_hand():
    (path,) = race("optim=sam", "lr=0.01", "sam.rho=0.1", "sam.momentum=0.5")
    slope = torch.tensor([1.0, 20.0], dtype=torch.float64)
    weight, velocity = torch.tensor([-4.0, 1.0], dtype=torch.float64), torch.zeros(2)
    for position in path.positions:
        torch.testing.assert_close(torch.tensor(position, dtype=torch.float64), weight)
        gradient = slope * weight
        worst = weight + 0.1 * gradient / gradient.norm()
        velocity = 0.5 * velocity + slope * worst
        weight = weight - 0.01 * velocity
    assert path.gradients == [2 * step for step in range(STEPS + 1)]


def test_lbfgs_descends_at_each_step_and_arrives_in_fewer_steps_than_adam():
    lbfgs, adam = race("optim=lbfgs,adam", "surface=rosenbrock", "steps=30")
    assert all(after <= before for before, after in pairwise(lbfgs.values))
    assert lbfgs.values[-1] < 1e-10 < adam.values[-1]


@pytest.mark.parametrize("name", options("optim"))
def test_every_optimizer_of_the_configs_races_or_is_refused_with_a_reason(name):
    if name in NOT_RACED:
        with pytest.raises(UserError, match=f"optim={name} cannot race: "):
            read_race([f"optim={name}"], "")
        return
    (path,) = race(f"optim={name}")
    assert path.values[-1] < path.values[0]
    assert not path.diverged


def test_every_optimizer_can_race_but_the_refused_ones():
    named = set(chosen_names(",".join(set(options("optim")) - NOT_RACED.keys()), None))
    assert set(chosen_names("all", None)) < named  # the thirteen of the course
    for name in NOT_RACED:
        with pytest.raises(UserError, match=f"optim={name} cannot race"):
            chosen_names(name, None)


def test_a_race_is_the_same_each_time_and_the_noise_depends_on_the_seed():
    first, second = (race("optim=adam", "noise=1") for _ in range(2))
    assert first == second
    assert race("optim=adam", "noise=1", "seed=1") != first


def test_the_noise_is_the_same_for_all_but_those_with_exact_gradients():
    gd, sgd, again = race("optim=gd,sgd,momentum", "lr=0.01", "noise=2", "momentum.momentum=0")
    assert sgd.positions == again.positions != gd.positions
    dx, dy = gradient_noise(2, STEPS, 0)[0].tolist()
    assert sgd.positions[1] == pytest.approx((-4 - 0.01 * (-4 + dx), 1 - 0.01 * (20 + dy)))


def test_a_schedule_counts_a_step_as_an_epoch():
    (path,) = race("optim=sgd", "lr=0.02", "schedule=step", "schedule.step_size=3")
    ratios = [after[0] / before[0] for before, after in pairwise(path.positions)]
    rates = [0.02 * 0.5 ** (step // 3) for step in range(STEPS)]
    assert ratios == pytest.approx([1 - rate for rate in rates])


def test_clipping_bounds_the_step():
    (path,) = race("optim=sgd", "lr=0.1", "clip=norm", "clip.max_norm=0.5")
    assert all(math.dist(*both) == pytest.approx(0.05) for both in pairwise(path.positions))


def test_a_path_that_leaves_for_good_ends_there():
    (path,) = race("optim=sgd", "lr=1", "steps=100")
    assert path.diverged
    assert len(path.positions) < 100
    assert all(map(math.isfinite, path.values))


def test_the_lecture_is_visible_with_the_default_rates():
    names = ["sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam"]
    ravine = dict(zip(names, race("steps=100"), strict=True))
    ys = [y for _, y in ravine["sgd"].positions[:20]]
    assert all(before * after < 0 for before, after in pairwise(ys))  # sgd zigzags
    beyond = {name: max(x for x, _ in path.positions) for name, path in ravine.items()}
    assert beyond["momentum"] > beyond["nesterov"] > 0.5  # momentum overshoots by more
    assert beyond["adagrad"] < 0 > beyond["rmsprop"]  # these go straight
    saddle = dict(zip(names, race("surface=saddle", "steps=100"), strict=True))
    assert saddle["sgd"].values[-1] > 0.2  # still at the saddle point
    assert max(path.values[-1] for name, path in saddle.items() if name != "sgd") < 1e-3
