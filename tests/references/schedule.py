"""How far every schedule is from PyTorch's scheduler, step by step, bare and behind a warm-up."""

import warnings

import torch
from references.row import Row
from torch.optim import lr_scheduler as torchs

from dlcourse.engine.instantiate import build
from dlcourse.schedule.warmup import warmup
from dlcourse.schema.validate import NOT_ARGUMENTS

EPOCHS, STEPS, CLIMB = 12, 10, 2  # epochs, steps of each, epochs of warm-up


def make(compose, name, *more):
    """Return a schedule as the run calls it and its settings."""
    settings = compose(f"schedule={name}", *more)["schedule"]
    bare = build(settings, *NOT_ARGUMENTS["schedule"])
    return warmup(bare, settings["warmup"]), settings


def optimizer():
    """Return an optimizer with a rate of 1."""
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)


def rates(optimizer, scheduler, count):
    """Return the learning rate of every step."""
    seen = []
    for _ in range(count):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return seen


def stepwise(name, theirs, *more):
    """Return the largest difference from ``theirs(optimizer, settings, steps)`` at any step.

    steps: how many the schedule has for its course. Behind a warm-up they are fewer, and PyTorch's
    LinearLR and SequentialLR do the climb.
    """

    def deviation(compose):
        differences = []
        for climb in (0, CLIMB):
            schedule, settings = make(compose, name, *more, f"schedule.warmup={climb}")
            descent = optimizer()
            total, before = EPOCHS * STEPS, climb * STEPS
            expected = theirs(descent, settings, total - before)
            if climb:
                up = torchs.LinearLR(descent, 0.01, 1.0, before)
                expected = torchs.SequentialLR(descent, [up, expected], [before])
            for step, rate in enumerate(rates(descent, expected, total)):
                differences.append(abs(schedule(step / STEPS, EPOCHS, []) - rate))
        return max(differences)

    return deviation


def one_cycle(*more):
    """Compare with OneCycleLR of one step more, because ours ends with the last step's end.

    PyTorch's top and end lie at pct_start T - 1 and T - 1 steps, so that T and pct_start are chosen
    to put them at 0.3 and 1 of all our steps. Behind a warm-up it waits at its beginning.
    """

    def deviation(compose):
        differences = []
        for climb in (0, CLIMB):
            schedule, s = make(compose, "one_cycle", *more, f"schedule.warmup={climb}")
            count = (EPOCHS - climb) * STEPS
            descent = optimizer()
            scheduler = torchs.OneCycleLR(
                descent, 1.0, total_steps=count + 1,
                pct_start=(s["pct_start"] * count + 1) / (count + 1), cycle_momentum=False,
                anneal_strategy=s["anneal_strategy"], div_factor=s["div_factor"],
                final_div_factor=s["final_div_factor"], three_phase=s["three_phase"],
            )  # fmt: skip
            expected = rates(descent, scheduler, count)
            up = [0.01 + 0.99 * step / (climb * STEPS) for step in range(climb * STEPS)]
            expected = [part * expected[0] for part in up] + expected
            for step, rate in enumerate(expected):
                differences.append(abs(schedule(step / STEPS, EPOCHS, []) - rate))
        return max(differences)

    return deviation


def either(*deviations):
    """Return the largest of several deviations."""
    return lambda compose: max(deviation(compose) for deviation in deviations)


def plateau(compose):
    """Compare with ReduceLROnPlateau at threshold 0 on random scores, epoch by epoch."""
    schedule, _ = make(compose, "plateau", "schedule.patience=1", "schedule.gamma=0.5")
    late, _ = make(
        compose, "plateau", "schedule.patience=1", "schedule.gamma=0.5", f"schedule.warmup={CLIMB}"
    )
    differences = []
    for seed in range(5):
        descent = optimizer()
        theirs = torchs.ReduceLROnPlateau(descent, "max", 0.5, 1, threshold=0, eps=0)
        scores = torch.rand(20, generator=torch.Generator().manual_seed(seed)).tolist()
        for epoch, score in enumerate(scores, 1):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                theirs.step(score)
            expected, climb = descent.param_groups[0]["lr"], min(1, 0.01 + 0.99 * epoch / CLIMB)
            differences.append(abs(schedule(epoch, 99, scores[:epoch]) - expected))
            differences.append(abs(late(epoch, 99, scores[:epoch]) - climb * expected))
        assert descent.param_groups[0]["lr"] < 1
    return max(differences)


def cyclic(*more):
    """Compare with CyclicLR, whose cycle is counted in steps; behind a warm-up, with its delay."""

    def theirs(o, s, n):
        gamma = s["gamma"] ** (1 / STEPS)
        return torchs.CyclicLR(
            o, s["low"], 1.0, round(s["up"] * STEPS), round(s["down"] * STEPS), mode=s["cycle"],
            gamma=gamma, cycle_momentum=False,
        )  # fmt: skip

    def deviation(compose):
        schedule, settings = make(compose, "cyclic", *more)
        descent = optimizer()
        expected = rates(descent, theirs(descent, settings, None), EPOCHS * STEPS)
        return max(
            abs(schedule(step / STEPS, EPOCHS, []) - rate) for step, rate in enumerate(expected)
        )

    return deviation


def swa(compose):
    """Compare with the formula of the authors' code, epoch by epoch."""
    schedule, s = make(compose, "swa", "schedule.start=0.7", "schedule.final=0.1")

    def theirs(epoch):
        share = epoch / (s["start"] * EPOCHS)
        if share <= 0.5:
            return 1.0
        return 1 - (1 - s["final"]) * (share - 0.5) / 0.4 if share <= 0.9 else s["final"]

    return max(abs(schedule(epoch, EPOCHS, []) - theirs(epoch)) for epoch in range(EPOCHS))


ROWS = {
    "constant": Row(
        "torch ConstantLR of factor 1",
        stepwise("constant", lambda o, s, n: torchs.ConstantLR(o, 1.0)),
        1e-12,
    ),
    "step": Row(
        "torch StepLR",
        stepwise(
            "step", lambda o, s, n: torchs.StepLR(o, s["step_size"] * STEPS, s["gamma"]),
            "schedule.step_size=3", "schedule.gamma=0.5",
        ),
        1e-12,
    ),
    "exponential": Row(
        "torch ExponentialLR, a part of gamma each step",
        stepwise("exponential", lambda o, s, n: torchs.ExponentialLR(o, s["gamma"] ** (1 / STEPS))),
        1e-12,
    ),
    "inverse_time": Row(
        "1 / (1 + rate t) in torch LambdaLR",
        stepwise(
            "inverse_time",
            lambda o, s, n: torchs.LambdaLR(o, lambda step: 1 / (1 + s["rate"] * step / STEPS)),
        ),
        1e-12,
    ),
    "cosine": Row(
        "torch CosineAnnealingLR",
        stepwise(
            "cosine", lambda o, s, n: torchs.CosineAnnealingLR(o, n, eta_min=s["final"]),
            "schedule.final=0.1",
        ),
        1e-12,
    ),
    "linear": Row(
        "torch LinearLR",
        stepwise(
            "linear", lambda o, s, n: torchs.LinearLR(o, 1.0, s["final"], n), "schedule.final=0.2"
        ),
        1e-12,
    ),
    "one_cycle": Row(
        "torch OneCycleLR, two and three phases, cos and linear",
        either(
            one_cycle(),
            one_cycle("schedule.three_phase=true", "schedule.anneal_strategy=linear"),
            one_cycle("schedule.pct_start=0.6", "schedule.div_factor=4"),
        ),
        1e-12,
    ),
    "cyclic": Row(
        "torch CyclicLR, three kinds of cycles",
        either(
            cyclic("schedule.up=3", "schedule.down=2"),
            cyclic("schedule.cycle=triangular2", "schedule.up=1", "schedule.down=1.5"),
            cyclic("schedule.cycle=exp_range", "schedule.gamma=0.8"),
        ),
        1e-12,
    ),
    "cosine_restarts": Row(
        "torch CosineAnnealingWarmRestarts, two lengths",
        either(
            stepwise(
                "cosine_restarts",
                lambda o, s, n: torchs.CosineAnnealingWarmRestarts(
                    o, round(s["t_0"] * STEPS), int(s["t_mult"]), eta_min=s["final"]
                ),
                "schedule.t_0=2", "schedule.final=0.1",
            ),
            stepwise(
                "cosine_restarts",
                lambda o, s, n: torchs.CosineAnnealingWarmRestarts(o, round(s["t_0"] * STEPS)),
                "schedule.t_0=3", "schedule.t_mult=1",
            ),
        ),
        1e-9,
    ),
    "polynomial": Row(
        "torch PolynomialLR",
        stepwise(
            "polynomial", lambda o, s, n: torchs.PolynomialLR(o, n, s["power"]),
            "schedule.power=1.7",
        ),
        1e-9,
    ),
    "swa": Row("the formula of the authors' code", swa, 1e-12),
    "plateau": Row("torch ReduceLROnPlateau on random scores", plateau, 1e-12),
}  # fmt: skip
