"""The observer that runs PyTorch's profiler over some steps."""

import gzip
import json
from types import SimpleNamespace

import pytest
import torch
from conftest import TINY, composed

from dlcourse.engine.run import run
from dlcourse.observe.profiler import Profiler, operators_of


@pytest.fixture(scope="module")
def profiled(tmp_path_factory, data_root):
    """Return the folder of a run whose second epoch of 12 steps was profiled, and that without."""
    top, folders = tmp_path_factory.mktemp("profile"), []
    for observe in ("profiler", "history"):
        config = composed(
            *TINY, "model=mlp", "batch_size=4", f"observe=[{observe}]", f"data.root={data_root}",
        )  # fmt: skip
        if observe == "profiler":
            config["observe"]["profiler"] |= {"warmup": 5, "steps": 9}
        run(config, top / observe)
        folders.append(top / observe)
    return folders


def test_the_trace_holds_the_profiled_steps_and_can_be_read(profiled):
    with gzip.open(profiled[0] / "profile/trace.pt.trace.json.gz") as file:
        events = json.load(file)["traceEvents"]
    names = [event["name"] for event in events]
    assert "aten::addmm" in names
    found = json.loads((profiled[0] / "profile/operators.json").read_text())
    assert found["steps"] == 9
    assert found["overhead"] > 0
    (addmm,) = [one for one in found["operators"] if one["name"] == "aten::addmm"]
    assert addmm["calls"] == 2  # two linear layers
    assert names.count("aten::addmm") == 18
    assert (profiled[0] / "plots/operators.png").exists()


def test_training_is_the_same_with_it(profiled):
    one, other = (
        torch.load(folder / "checkpoints/last.pt", weights_only=False)["model"]
        for folder in profiled
    )
    assert all(torch.equal(one[name], other[name]) for name in one)


def steps_profiled(epochs, count, **options):
    observer = Profiler(None, **{"warmup": 3, "steps": 4, "rows": 5} | options)  # pyright: ignore
    observer.device, begun = torch.device("cpu"), []

    def begin():
        begun.append(observer.done)
        observer.profile = True

    def end():
        begun.append(observer.done)
        observer.profile, observer.finished = None, True

    observer.begin, observer.end = begin, end
    for _ in range(epochs):
        list(observer.watch(range(count), count))
    return begun


def test_the_steps_are_within_one_epoch_and_after_the_warmup():
    assert steps_profiled(1, 10) == [3, 7]
    assert steps_profiled(2, 6) == [6, 10]  # the first epoch has only 3 left
    assert steps_profiled(3, 2) == [4, 6]  # a whole epoch is shorter
    assert steps_profiled(1, 3) == []


def test_operators_are_those_with_the_largest_time_of_their_own():
    def made(key, cpu, gpu, count):
        return SimpleNamespace(
            key=key, self_cpu_time_total=cpu, self_device_time_total=gpu, count=count
        )

    rows = operators_of([made("a", 1000, 0, 4), made("b", 3000, 0, 2)], 2)
    assert [(row.name, row.calls, row.milliseconds, row.share) for row in rows] == [
        ("b", 1, 1.5, 0.75), ("a", 2, 0.5, 0.25),
    ]  # fmt: skip
    (gpu,) = operators_of([made("a", 1000, 10, 4), made("b", 3000, 0, 2)], 2)
    assert gpu.name == "a"
