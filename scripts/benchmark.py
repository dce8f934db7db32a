"""Time dlcourse's loop against a loop written by hand, and against the tutorial's way.

    python scripts/benchmark.py [data.root=<folder>] [repeats=4] [rounds=4] [tutorial_rounds=2]
        [models=lenet,mlp] [device=auto] [threads=]

All three train on MNIST's 60,000 pictures in batches of 128 with Adam, without validation. The
loop by hand keeps the data in memory as dlcourse does, and counts loss and hits as it does; both
end with the same weights to the last bit, which is checked. The tutorial's way is torchvision's
data set with ToTensor and Normalize, and a DataLoader. Epochs of the first two alternate in one
process, so that the ratio holds where the machine's speed drifts. Every repeat begins with fresh
models, because where tensors come to lie in memory may favour one side by some per cent.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

from dlcourse.bounds import counted
from dlcourse.command import arguments, number_of, one_message
from dlcourse.error import UserError

BATCH = 128
CHOICES = {"lenet": ["model=lenet"], "mlp": ["model=mlp", "model.widths=[128]"]}


def main() -> None:
    """Read the words, time every model, print the ratios."""
    defaults = {
        "data.root": "data", "repeats": "4", "rounds": "4", "tutorial_rounds": "2",
        "models": "lenet,mlp", "device": "auto", "threads": "",
    }  # fmt: skip
    words = arguments(sys.argv[1:], defaults, __doc__)
    repeats = number_of(words, "repeats", counted(1, 1000, 4))
    rounds = number_of(words, "rounds", counted(1, 1000, 4))
    tutorial_rounds = number_of(words, "tutorial_rounds", counted(0, 1000, 2))

    import torch

    from dlcourse.build import build, load_data
    from dlcourse.core import Fold
    from dlcourse.data.options import standardize

    print(f"torch {torch.__version__}, batch {BATCH}, Adam; seconds an epoch, the median")
    for name in words["models"].split(","):
        cfg = compose_for(name, words)
        runtime = build(cfg.runtime)()
        dataset = load_data(cfg)
        train = dataset.train.to(runtime.device)
        fold = Fold(".", train, None, standardize(train, "channel"))
        seconds: tuple[list[float], list[float]] = ([], [])
        for _ in range(repeats):
            ours, ours_model = dlcourse_loop(cfg, runtime, dataset, fold)
            hand, hand_model = hand_loop(cfg, runtime, dataset, fold)
            alternate(ours, hand, rounds, seconds)
            pairs = zip(ours_model.parameters(), hand_model.parameters(), strict=True)
            if not all(torch.equal(mine, other) for mine, other in pairs):
                raise UserError(f"{name}: the two loops end with different weights")
        ratios = sorted(a / b for a, b in zip(*seconds, strict=True))
        print(
            f"{name}, {runtime.describe()}: dlcourse {median(seconds[0]):.3f}, by hand "
            f"{median(seconds[1]):.3f}; ratio {median(ratios):.3f} "
            f"(pairs from {ratios[0]:.3f} to {ratios[-1]:.3f}), {len(ratios)} epochs each, final "
            "weights bitwise equal"
        )
        tutorial = tutorial_loop(cfg, runtime, dataset, Path(words["data.root"]))
        times = [timed(tutorial, epoch) for epoch in range(tutorial_rounds)]
        if times:
            print(
                f"{name}: the tutorial's way {median(times):.3f}, {len(times)} epochs; dlcourse "
                f"takes {median(seconds[0]) / median(times):.3f} of its time"
            )


def compose_for(name: str, words: dict) -> object:
    """Compose the config of one model's benchmark, as the command line would."""
    from omegaconf import OmegaConf

    from dlcourse.check import check
    from dlcourse.compose import compose, plain

    if name not in CHOICES:
        raise UserError(f"models={name} is not known; allowed: {', '.join(CHOICES)}")
    overrides = [
        *CHOICES[name], "data=mnist", f"batch_size={BATCH}", "split.fraction=0", "stop=never",
        "monitor=train/loss", "mode=min", "max_epochs=1000", f"runtime.device={words['device']}",
        *([f"runtime.threads={words['threads']}"] if words["threads"] else []),
    ]  # fmt: skip
    config = plain(compose(overrides, None))
    config["data"]["root"] = words["data.root"]
    check(config)
    return OmegaConf.create(config)


def dlcourse_loop(cfg: object, runtime: object, dataset: object, fold: object) -> tuple:
    """Return a function that trains one epoch as ``fit`` does, and the model."""
    from dlcourse.build import make_recipe, make_state
    from dlcourse.core import Record
    from dlcourse.train.fit import train_epoch
    from dlcourse.train.rng import reseed

    state = make_state(cfg, runtime, dataset)
    recipe = make_recipe(cfg, runtime, dataset, fold)

    def epoch(number: int) -> None:
        reseed(recipe.seed, number)
        state.history.append(Record(number + 1, train_epoch(state, fold, recipe)))

    return epoch, state.model


def hand_loop(cfg: object, runtime: object, dataset: object, fold: object) -> tuple:
    """Return a function that trains one epoch in a loop written for this one case."""
    import torch
    from torch.nn import functional as F

    from dlcourse.build import make_state
    from dlcourse.train.rng import epoch_order

    state = make_state(cfg, runtime, dataset)  # the same initial weights; the rest is by hand
    model = state.model
    optimizer = torch.optim.Adam(model.parameters(), lr=cfg.optim.lr, fused=True)
    images, labels = fold.train.inputs, fold.train.targets
    mean, scale = fold.standardize.mean, fold.standardize.scale

    def epoch(number: int) -> None:
        model.train()
        order = epoch_order(len(images), cfg.seed, number).to(images.device)
        total = torch.zeros((), dtype=torch.float64, device=images.device)
        hits = torch.zeros((), dtype=torch.int64, device=images.device)
        for index in order.split(BATCH):
            x = torch.sub(images.index_select(0, index), mean).mul_(scale)
            x = x.contiguous(memory_format=torch.channels_last)
            y = labels.index_select(0, index)
            outputs = model(x)
            loss = F.cross_entropy(outputs, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(y)
            hits += (outputs.detach().argmax(1) == y).sum()
        total.item(), hits.item()

    return epoch, model


def tutorial_loop(cfg: object, runtime: object, dataset: object, root: Path) -> Callable:
    """Return a function that trains one epoch in the way of the tutorials."""
    from torch import nn, optim
    from torch.utils.data import DataLoader
    from torchvision import datasets, transforms

    from dlcourse.build import make_state

    transform = transforms.Compose(
        [transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))]
    )
    pictures = datasets.MNIST(root, train=True, transform=transform)
    loader = DataLoader(pictures, batch_size=BATCH, shuffle=True)
    model = make_state(cfg, runtime, dataset).model
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.Adam(model.parameters(), lr=cfg.optim.lr)

    def epoch(number: int) -> None:
        model.train()
        running_loss, correct = 0.0, 0
        for inputs, labels in loader:
            inputs, labels = inputs.to(runtime.device), labels.to(runtime.device)
            optimizer.zero_grad()
            outputs = model(inputs)
            loss = criterion(outputs, labels)
            loss.backward()
            optimizer.step()
            running_loss += loss.item()
            correct += (outputs.argmax(1) == labels).sum().item()

    return epoch


def alternate(
    first: Callable, second: Callable, rounds: int, seconds: tuple[list[float], list[float]]
) -> None:
    """Time both in turn, the one that begins changing every round, after one epoch unmeasured."""
    first(0), second(0)
    for number in range(1, rounds + 1):
        for which in (0, 1) if number % 2 else (1, 0):
            seconds[which].append(timed((first, second)[which], number))


def timed(epoch: Callable, number: int) -> float:
    """Return the seconds that an epoch takes; it ends by reading a figure back."""
    started = perf_counter()
    epoch(number)
    return perf_counter() - started


if __name__ == "__main__":
    with one_message():
        main()
