"""The code of the benchmarks, run on a few made-up images; no speed ratio is asserted."""

import sys
import time
from statistics import NormalDist

import pytest
import torch
from same_process import SameProcess

from benchmarks import document, image_readers, implementations
from benchmarks.cases import images as images_from_disk
from benchmarks.cases import memory, overhead, process, profile, scaling, speed
from benchmarks.implementations import obvious, tutorial
from benchmarks.nets import NETS, count, make_net
from benchmarks.options import Options
from benchmarks.photographs import write_photographs
from benchmarks.workloads import SHAPES, WORKLOADS, compose_workload, load_images
from dlcourse.errors import UserError
from dlcourse.timing import interleave
from dlcourse.timing.training import initial_model
from dlcourse.timing.worker import Worker

COMPILED = ("dlcourse compiled", "dlcourse bf16 compiled")  # compiling takes 10 seconds
FEW = Options(device="cpu", steps=2, rounds=2, models=("mlp",), without=COMPILED)


@pytest.fixture
def here(monkeypatch):
    monkeypatch.setattr("dlcourse.timing.worker.Worker", SameProcess)
    # runtime=auto measures nothing before the few steps
    monkeypatch.setattr("dlcourse.engine.autotune.MIN_EXAMPLES", 1e9)


@pytest.fixture
def no_peers(monkeypatch):
    """Prevent the import of Lightning and Keras, whether they are installed or not."""
    for name in ("lightning", "keras"):
        monkeypatch.setitem(sys.modules, name, None)
        monkeypatch.delitem(sys.modules, f"benchmarks.implementations.with_{name}", raising=False)


@pytest.mark.parametrize("name", NETS)
def test_a_net_written_by_hand_computes_the_same_function_as_ours(name):
    workload = WORKLOADS[name]
    ours = initial_model(compose_workload(workload, FEW), load_images(workload, FEW))
    with torch.no_grad():
        for parameter in ours.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.02)  # a transformer's output would be zero
    net = make_net(name, ours)
    inputs = torch.randn(2, *SHAPES[workload.data])
    torch.testing.assert_close(net(inputs), ours(inputs))
    assert count(net) == count(ours)


def test_a_net_written_by_hand_with_other_parameters_is_refused():
    with pytest.raises(ValueError, match="differ"):
        make_net("mlp", torch.nn.Sequential(*[torch.nn.Linear(5, 5), torch.nn.Linear(5, 5)]))


def test_a_batch_of_the_tutorial_loader_has_the_images_of_the_tensors():
    options = Options(device="cpu", steps=1)
    task = tutorial.Task(WORKLOADS["mlp"], options)
    batch, labels = next(iter(tutorial.loader(task)))
    mean, std = task.mean.view(-1, 1, 1), task.std.view(-1, 1, 1)
    inputs = (task.images.float() / 255 - mean) / std
    first = (inputs == batch[0]).flatten(1).float().mean(1).argmax()
    torch.testing.assert_close(inputs[first], batch[0])
    assert labels[0] == task.labels[first]
    assert abs(batch.mean()) < 1e-2


def test_the_obvious_crop_shifts_and_mirrors_each_image_separately():
    images = torch.randn(6, 2, 8, 8)
    changed = obvious.crop_and_flip(images)
    padded = torch.nn.functional.pad(images, [4] * 4)
    places = set()
    for number, image in enumerate(changed):
        found = [
            (row, column, mirrored)
            for row in range(9)
            for column in range(9)
            for mirrored in (False, True)
            if torch.equal(
                image.flip(-1) if mirrored else image,
                padded[number, :, row : row + 8, column : column + 8],
            )
        ]
        assert found
        places.add(found[0])
    assert len(places) > 1


def test_overhead_compares_loops_that_end_with_the_same_weights():
    (found,) = overhead.measure(FEW)
    assert found.count("| mlp |") == 2
    assert "to the last bit" in found


def test_overhead_refuses_loops_that_end_with_different_weights(monkeypatch):
    original = overhead.ByHand.epoch

    def otherwise(self, number):
        original(self, number + 1)  # another order

    monkeypatch.setattr(overhead.ByHand, "epoch", otherwise)
    with pytest.raises(UserError, match="different weights"):
        list(overhead.measure(FEW))


def test_speed_has_a_row_for_each_implementation_and_names_the_missing_ones(here, no_peers):
    (found,) = speed.measure(FEW)
    for name in implementations.known().keys() - set(COMPILED):
        assert (f"| {name} |" in found) == (name not in ("Lightning", "Keras"))
    assert found.count("pip install 'dlcourse[bench]'") == 2
    assert "random images" in found


def test_every_reader_of_images_reads_all_files_of_a_folder(tmp_path):
    folder = write_photographs(tmp_path, 60, 45, 5, 3)
    for name in (*image_readers.OURS, image_readers.AUGMENTED, *image_readers.PEERS[:2]):
        assert image_readers.make_reader(name).epoch(folder, 0) == 5


def test_images_compares_the_readers_and_names_the_missing_library(here, monkeypatch):
    monkeypatch.setattr(images_from_disk, "FOLDERS", [(60, 45, 4)])
    monkeypatch.setattr(images_from_disk, "cores", lambda: 0)
    monkeypatch.setattr("torch.set_num_threads", lambda number: None)
    monkeypatch.setitem(sys.modules, "timm", None)
    found, notes = images_from_disk.measure(FEW)
    assert "**60x45**, 2 files" in found
    row = next(line for line in found.splitlines() if line.startswith("| dlcourse |"))
    assert row.split("|")[2:5] == [" 2 (2 to 2) ", " 1.00 (1.00 to 1.00) ", " 1.00 (1.00 to 1.00) "]
    assert notes.count("pip install 'dlcourse[bench]'") == 2


def test_speed_leaves_out_an_implementation_that_fails(here, no_peers, monkeypatch):
    def fail(self, number):
        raise RuntimeError("something\nbroke")

    monkeypatch.setattr(obvious.Implementation, "epoch", fail)
    (found,) = speed.measure(FEW)
    assert "obvious tensor loop is left out, it failed: broke" in found
    assert "| tutorial loop |" in found


def test_speed_trains_on_augmented_images(here):
    options = Options(device="cpu", steps=1, rounds=1, models=("resnet20",),
                      without=("Lightning", "Keras", "dlcourse bf16", *COMPILED))  # fmt: skip
    (found,) = speed.measure(options)
    assert "shifted and mirrored" in found
    assert "failed" not in found


def test_a_case_starts_nothing_after_its_time_is_over():
    late = Options(device="cpu", steps=1, rounds=1, models=("mlp",), until=0.0)
    (found,) = speed.measure(late)
    assert "The time limit was reached" in found


def test_a_profile_has_every_phase_of_the_loop():
    shares, _ = profile.profile("mlp", FEW)
    assert sum(shares.values()) == pytest.approx(1, abs=0.01)
    unseen = {name for name, share in shares.items() if share <= 0}
    assert unseen <= {"augment"}
    assert shares["forward"] + shares["backward"] + shares["update"] > 0.05


def test_profiling_restores_the_functions_that_it_times():
    before = torch.autograd.backward
    profile.profile("mlp", FEW)
    assert torch.autograd.backward is before


def test_scaling_counts_images_for_every_size():
    found = scaling.images("mlp", "batch", {"batch_size=16": ["batch_size=16"]}, FEW)
    assert "batch_size=16" in found
    assert "images |" in scaling.data_sizes("mlp", FEW)


def test_memory_is_measured_for_the_process_alone():
    small = memory.mebibytes(["-c", "pass"])
    large = memory.mebibytes(["-c", "x = b'1' * (100 << 20)"])
    assert 90 < float(large) - float(small) < 120
    with pytest.raises(UserError, match="ZeroDivisionError"):
        memory.mebibytes(["-c", "1 / 0"])


def test_a_program_that_fails_is_reported():
    run = process.runner("it", ["-c", "raise SystemExit('no such data')"])
    with pytest.raises(UserError, match="no such data"):
        run(1)
    assert process.runner("it", ["-c", "pass"])(1) > 0


def test_cases_that_need_mnist_ask_for_data_root():
    for case in (process, memory):
        assert "type data.root=" in " ".join(case.measure(Options()))


def test_a_worker_is_a_process_that_returns_results_and_ends():
    worker = Worker(NormalDist, 3.0, 1.0)
    worker.wait()
    seconds, density = worker.call("cdf", 3.0)
    assert (density, seconds >= 0, worker.peak() > 2**20) == (0.5, True, True)
    worker.close()
    assert not worker.process.is_alive()


def test_a_worker_raises_the_error_of_its_process():
    worker = Worker(NormalDist, 3.0, -1.0)
    with pytest.raises(RuntimeError, match="sigma must be non-negative"):
        worker.wait()
    worker.close()


def test_interleaving_changes_the_first_timer_and_gives_all_the_same_rounds():
    called = []
    timers = {name: lambda n, name=name: called.append((n, name)) or n for name in "abc"}
    assert interleave.interleave(timers, 6) == {name: [1, 2, 3, 4, 5, 6] for name in "abc"}
    firsts = [called[3 * n][1] for n in range(6)]
    assert set(firsts) == set("abc")
    assert called[:3] != [(1, "a"), (1, "b"), (1, "c")]


def test_values_are_shown_as_median_and_quartiles():
    assert interleave.median_and_quartiles([1.0, 2.0, 3.0, 4.0, 5.0]) == "3.00 (2.00 to 4.00)"
    assert interleave.median_and_quartiles([7.0]) == "7.00 (7.00 to 7.00)"


def test_writing_a_part_keeps_the_rest_of_the_document():
    part = "<!-- measured: speed -->\nold\n<!-- end: speed -->"
    text = f"# Title\n\n## Speed\n\nBy hand.\n\n{part}\n\nEnd.\n"
    new = document.replace_part(text, "speed", "Speed", "| new |")
    assert new == text.replace("old", "| new |")
    both = document.replace_part(new, "memory", "Memory", "much")
    assert both.startswith(new.rstrip())
    assert both.endswith("## Memory\n\n<!-- measured: memory -->\nmuch\n<!-- end: memory -->\n")
    assert document.replace_part(both, "memory", "Memory", "much") == both


@pytest.mark.parametrize(
    "text",
    [
        "<!-- measured: speed -->\n",
        "<!-- end: speed -->\n<!-- measured: speed -->\n",
        "<!-- measured: speed --><!-- end: speed -->" * 2,
    ],
)
def test_a_document_with_broken_marks_is_not_changed(text, tmp_path):
    path = tmp_path / "document.md"
    path.write_text(text)
    with pytest.raises(UserError):
        document.write_part(path, "speed", "Speed", "new")
    assert path.read_text() == text


def test_a_document_that_cannot_be_written_is_reported(tmp_path):
    with pytest.raises(UserError, match="cannot be written"):
        document.write_part(tmp_path / "no/such.md", "speed", "Speed", "new")


def test_the_command_prints_and_writes_its_measurements(command, tmp_path):
    overrides = ["cases=overhead", "models=mlp", "data.root=", "steps=2", "rounds=1"]
    ended = command(*overrides, "write=found.md", script="benchmarks/benchmark.py")
    assert ended.returncode == 0, ended.stderr
    found = (tmp_path / "found.md").read_text()
    assert "`python benchmarks/benchmark.py cases=overhead models=mlp data.root=" in found
    assert "cores of" in found
    for line in ended.stdout.strip().splitlines():
        assert line in found


@pytest.mark.skipif(torch.cuda.is_available(), reason="it would measure for minutes")
def test_gpu_cases_are_refused_without_a_gpu(command):
    ended = command("--gpu", script="benchmarks/benchmark.py")
    assert ended.returncode == 2
    assert "There is no GPU" in ended.stderr


def test_cases_share_the_remaining_time_equally():
    now = time.perf_counter()
    options = Options(until=now + 60)
    assert options.share(3).until - now == pytest.approx(20, abs=1)
    assert options.share(1).until == pytest.approx(options.until)
    assert Options().share(2).until == float("inf")
