"""Every use of randomness has its own stream, and label noise falls on all parts alike."""

import ast
import json
import math
from copy import deepcopy
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import composed, options

import dlcourse
from dlcourse.engine.datasets import load_data, split_training_data
from dlcourse.permutations import generator
from dlcourse.random_streams import CURRENT, ONCE_BARE, Purpose, mix, seed_of_version

PACKAGE = Path(dlcourse.__file__).parent
STARTS = {  # the names of functions, and of keywords, that seed a generator
    "manual_seed", "manual_seed_all", "seed", "seed_all", "RandomState", "default_rng",
    "SeedSequence", "PCG64", "MT19937", "Philox", "Random",
}  # fmt: skip
GLOBAL = {"random", "randint", "choice", "choices", "shuffle", "sample", "permutation", "uniform",
          "normal", "rand", "randn", "gauss"}  # fmt: skip


def test_no_two_streams_start_from_the_same_seed():
    # torch's generator on the CPU and numpy's RandomState use only the lowest 32 bits
    starts = [
        mix(seed, number, purpose) % 2**32
        for seed, number, purpose in product(range(8), range(-1, 30), Purpose)
    ]
    assert len(set(starts)) == len(starts)
    bare = set(range(1000))
    assert not bare & set(starts), "a stream starts where one from a bare seed would"


def test_each_purpose_draws_different_numbers():
    drawn = {purpose: torch.randperm(50, generator=generator(0, purpose)) for purpose in Purpose}
    pairs = [(a, b) for a, b in product(Purpose, Purpose) if a < b]
    assert not [(a, b) for a, b in pairs if torch.equal(drawn[a], drawn[b])]
    old = seed_of_version(0, 1)  # the control: in version 1, these purposes drew the same numbers
    older = [torch.randperm(50, generator=generator(old, purpose)) for purpose in ONCE_BARE]
    assert all(torch.equal(older[0], other) for other in older)


def test_every_purpose_is_used_by_name():
    text = "\n".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    assert [p.name for p in Purpose if f"Purpose.{p.name}" not in text] == []


def bare_starts(code: str) -> list[str]:
    """Return the calls in a piece of code that seed a generator without ``mix``."""
    found = []
    for call in (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)):
        name = ast.unparse(call.func)
        module, _, last = name.rpartition(".")
        mixed = any(ast.unparse(argument).startswith("mix(") for argument in call.args)
        if (last in STARTS and not mixed) or (
            last in GLOBAL and module in ("np.random", "numpy.random", "random")
        ):
            found.append(ast.unparse(call))
    return found


ONE_STREAM = (
    "commands/check_gradient.py", "look/dream.py", "look/maximise.py", "look/surface.py",
    "preview/convolution.py", "race/trajectory.py",  # their seed starts no other stream
    "introspect/sharpness.py", "introspect/undisturbed.py",  # given a seed that is already mixed
)  # fmt: skip


def test_every_generator_is_seeded_through_mix():
    lectures = set((PACKAGE / "lecture/topics").glob("*.py"))  # their seeds start no other stream
    files = sorted(set(PACKAGE.rglob("*.py")) - lectures - {PACKAGE / one for one in ONE_STREAM})
    found = {str(path): bare_starts(path.read_text()) for path in files}
    assert {path: calls for path, calls in found.items() if calls} == {}


@pytest.mark.parametrize(
    "wrong",
    [
        "torch.Generator().manual_seed(seed)", "np.random.RandomState(3)", "Random(seed)",
        "np.random.default_rng()", "random.seed(seed + 1)", "np.random.permutation(9)",
        "random.shuffle(order)", "torch.seed()",
    ],
)  # fmt: skip
def test_a_generator_with_a_bare_seed_is_found(wrong):
    assert bare_starts(wrong) == [wrong]
    assert bare_starts("torch.Generator().manual_seed(mix(seed, 0, Purpose.KEPT))") == []


# Label noise

NOISE = 0.2
CASES = [
    (data, split)
    for data, split in product(("digits", "diabetes", "csv"), options("split"))
    if (split == "group_kfold") <= (data == "csv")
    and not (split == "stratified_kfold" and data == "diabetes")
    and (data == "csv") <= (split in ("group_kfold", "holdout"))
]


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    """Return a folder with a table of 1,000 rows in 100 groups."""
    random = np.random.RandomState(1)
    groups, classes = random.randint(100, size=1000), random.randint(5, size=1000)
    folder = tmp_path_factory.mktemp("table")
    rows = [
        f"{number},c{c},g{g}" for number, (c, g) in enumerate(zip(classes, groups, strict=True))
    ]
    (folder / "table.csv").write_text("\n".join(["x,target,patient", *rows]))
    return folder


@cache
def replaced(root: str, streams: int, *overrides: str) -> tuple:
    """Return a mask of the wrong training labels, the data set with label noise, and its config."""
    config = composed(*overrides, f"data.root={root}", f"random_streams={streams}")
    noisy = deepcopy(config)
    noisy["data"]["random_labels"] = NOISE
    true, wrong = load_data(config), load_data(noisy)
    same = true.train.targets == wrong.train.targets
    assert torch.equal(true.test.targets, wrong.test.targets)
    return ~(same if same.dim() == 1 else same.all(1)), wrong, noisy


def parts(data: str, split: str, root: Path, streams: int = CURRENT) -> list[tuple]:
    """Return, for each fold: its name, and size and number of wrong labels of train and val."""
    overrides = [f"data={data}", f"split={split}"]
    overrides += ["data.group=patient"] if data == "csv" else []
    wrong, dataset, cfg = replaced(str(root), streams, *overrides)
    return [
        (part.name, *((len(some), int(wrong[some].sum())) for some in (part.train, part.val)))
        for part in split_training_data(cfg, dataset)
    ]


@pytest.mark.parametrize(("data", "split"), CASES)
def test_training_and_validation_part_have_the_same_share_of_wrong_labels(
    data, split, data_root, table
):
    root = table if data == "csv" else data_root
    for name, (train, wrong_train), (val, wrong_val) in parts(data, split, root):
        print(
            f"{data} split={split} {name}: wrong labels {wrong_train / train:6.1%} of {train} to "
            f"train on, {wrong_val / val:6.1%} of {val} to validate on"
        )
        total, wrong = train + val, wrong_train + wrong_val
        share = wrong / total
        # the hypergeometric distribution: `wrong` of `total` fall on `val` without replacement
        deviation = math.sqrt(val * share * (1 - share) * (total - val) / (total - 1))
        assert abs(wrong_val - val * share) < 4 * deviation
        assert 0.1 < share < 0.25


def test_in_older_runs_label_noise_falls_on_the_validation_part(data_root):
    ((_, (train, wrong_train), (val, wrong_val)),) = parts("digits", "holdout", data_root, 1)
    assert wrong_val / val > 0.85
    assert wrong_train / train < 0.01


def test_the_test_part_is_independent_of_label_noise_from_torch_seed_0(tmp_path):
    # a table in which 100 rows, drawn by torch.randperm from seed 0, have a wrong label
    spoiled = torch.randperm(500, generator=torch.Generator().manual_seed(0))[:100]
    targets = (torch.arange(500) % 2).index_fill(0, spoiled, 2)
    rows = [f"{number},{c}" for number, c in enumerate(targets.tolist())]
    (tmp_path / "table.csv").write_text("\n".join(["x,target", *rows]))
    overrides = ["data=csv", f"data.root={tmp_path}", "data.task=regression", "loss=mse"]
    overrides += ["metric=[rmse]", "monitor=val/loss", "mode=min"]
    config = composed(*overrides)
    assert 0.05 < (load_data(config).test.targets == 2).float().mean() < 0.35
    config["random_streams"] = 1  # the control
    assert (load_data(config).test.targets == 2).all()


def test_an_older_sweep_that_divided_the_data_differently_is_not_resumed(here, tmp_path):
    (tmp_path / "old").mkdir()
    record = {
        "words": ["optim=sgd,adam"], "config_dir": None, "identity": "", "method": "grid",
        "keys": ["optim"], "monitor": "val/accuracy", "mode": "max", "threads": 1,
    }  # fmt: skip
    (tmp_path / "old/sweep.json").write_text(json.dumps(record))
    ended = here("resume=old")
    assert ended.returncode == 2
    assert "divided the data in another way" in ended.stderr
    assert "scripts/collect.py old" in ended.stderr
    assert [path.name for path in (tmp_path / "old").iterdir()] == ["sweep.json"]


def test_an_older_run_resumes_with_its_own_overrides(here, tmp_path):
    overrides = ["model=mlp", "model.widths=[8]", "data.examples=60", "max_epochs=1"]
    here(*overrides, "hydra.run.dir=run", "random_streams=1")
    (tmp_path / "run/result.json").unlink()
    (tmp_path / "run/data.npz").unlink()
    for name, key in (("config", "random_streams: 1\n"), ("overrides", "- random_streams=1\n")):
        path = tmp_path / f"run/.hydra/{name}.yaml"
        assert key in path.read_text()
        path.write_text(path.read_text().replace(key, ""))
    ended = here("resume=run", "max_epochs=1")
    assert ended.returncode == 0, ended.stderr
    assert "started before dlcourse recorded" in ended.stderr
    assert (tmp_path / "run/result.json").exists()
