"""The readers return a value or a message for damaged and odd files: a short form of the fuzzing.

``python scripts/fuzz.py`` runs the same targets for as long as one likes.
"""

import sys

import pytest
import torch
from conftest import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

from dlcourse import atomic_files
from dlcourse.errors import UserError, shown
from fuzzing.drive import Prepared, run_here
from fuzzing.integrity import flipped, verdict
from fuzzing.judge import Judge
from fuzzing.targets import TARGETS

CASES = {
    "idx": 200, "cifar": 100, "images": 60, "checkpoint": 60, "result": 40, "notes": 60,
    "manifest": 40, "history": 80, "arrays": 60, "export": 30, "stored": 15,
    "content": 60, "weights": 40, "npz": 40, "cache": 40, "csv": 20, "parquet": 40,
}  # fmt: skip
"""The number of inputs for each target, so that all together take a few seconds."""


@pytest.mark.parametrize("name", CASES)
def test_no_input_crashes_the_reader_of(name, tmp_path):
    score = run_here(TARGETS[name].prepare(tmp_path), name, tmp_path, 0, CASES[name])
    assert sum(score.kinds.values()) == CASES[name]
    assert score.kinds["refused"] > 0 or name == "cache"  # which is made again
    assert not score.crashes, score.crashes


def outcome_of(tmp_path, read, content=b""):
    return Judge(read, tmp_path)(content)


def refuse(message):
    def read(content):
        raise UserError(message)

    return read


def test_a_value_is_accepted_and_a_message_is_a_refusal(tmp_path):
    assert outcome_of(tmp_path, len).kind == "accepted"
    assert outcome_of(tmp_path, refuse("x.pt is damaged.\nDelete it")).kind == "refused"


@pytest.mark.parametrize("message", ["", "a\n\nb", "Traceback (most recent call last)"])
def test_a_message_that_nobody_can_use_is_a_crash(tmp_path, message):
    assert outcome_of(tmp_path, refuse(message)).kind == "crash"


def test_half_of_a_character_can_be_shown():
    assert shown("a\ud800b\udce9") == "a\\ud800b\\udce9"


def test_any_other_error_is_a_crash_that_is_found_and_counted_once(tmp_path):
    prepared = Prepared(lambda content: content[3], make=lambda draw: bytes(draw.randrange(6)))
    score = run_here(prepared, "short", tmp_path, 0, 50)
    assert score.kinds["crash"] > 10
    assert len(score.crashes) == 1
    assert "IndexError" in str(score.crashes)


def test_equal_seeds_give_equal_inputs(tmp_path):
    target = TARGETS["idx"].prepare(tmp_path)
    seen = []
    for number in (0, 0, 1):
        inputs = []
        run_here(Prepared(inputs.append, target.make), "idx", tmp_path, number, 20)
        seen.append(inputs)
    assert seen[0] == seen[1] != seen[2]


def verdicts_of(path, read):
    """Return what happens at every length and at 400 bits of a small checked file."""
    atomic_files.save_checked(path, {"weights": torch.arange(6.0), "epoch": 3})
    whole, right = path.read_bytes(), atomic_files.load_checked(path)
    changed = [whole[:length] for length in range(0, len(whole), 5)]
    changed += [flipped(whole, bit) for bit in range(0, 8 * len(whole), len(whole) // 50)]
    found = []
    for content in changed:
        path.write_bytes(content)
        found.append(verdict(path, read, right))
    return found


def test_no_change_of_a_checked_file_is_missed_and_pytorch_alone_misses_some(tmp_path):
    def by_pytorch(path):
        try:
            return torch.load(path, weights_only=True)
        except Exception as error:
            raise UserError("damaged") from error

    assert "missed" not in verdicts_of(tmp_path / "x.pt", atomic_files.load_checked)
    assert "missed" in verdicts_of(tmp_path / "x.pt", by_pytorch)


def test_an_optimizers_state_of_another_shape_is_refused(tmp_path):
    from dlcourse.train.checkpoint_content import refuse_other_state

    weight = torch.nn.Parameter(torch.zeros(8, 11))
    optimizer = torch.optim.Adam([weight], fused=True)
    weight.sum().backward()
    optimizer.step()
    stored = optimizer.state_dict()
    refuse_other_state(optimizer, stored)
    stored["state"][0]["exp_avg"] = torch.zeros(3)
    with pytest.raises(ValueError, match=r"exp_avg .* shape \(3,\), and its weight \(8, 11\)"):
        refuse_other_state(optimizer, stored)
