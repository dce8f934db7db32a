"""Properties of every schedule; PyTorch's rates are in ``tests/references/schedule.py``."""

from functools import partial
from itertools import pairwise

import pytest
from conftest import options
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.engine.instantiate import build
from dlcourse.schedule.one_cycle import one_cycle
from dlcourse.schedule.warmup import START, warmup
from dlcourse.schema.validate import NOT_ARGUMENTS

EPOCHS = 12


def make(compose, name, *more):
    cfg = compose(f"schedule={name}", *more)
    return build(cfg["schedule"], *NOT_ARGUMENTS["schedule"])


@pytest.mark.parametrize("name", options("schedule"))
def test_a_factor_is_between_0_and_1_and_reaches_1(name, compose):
    schedule = make(compose, name)
    factors = [schedule(step / 10, EPOCHS, [0.0] * (step // 10)) for step in range(10 * EPOCHS)]
    assert max(factors) <= 1 + 1e-12
    assert min(factors) >= 0
    assert max(factors) == pytest.approx(1), "the base rate is the largest"


@pytest.mark.parametrize("name", options("schedule"))
def test_warmup_rises_linearly_and_then_the_schedule_starts(name, compose):
    bare = make(compose, name)
    schedule = warmup(bare, 2.0)
    assert schedule(0, EPOCHS, []) == pytest.approx(START * bare(0, EPOCHS, []))
    assert schedule(1, EPOCHS, []) == pytest.approx((START + 1) / 2 * bare(0, EPOCHS, []))
    for epoch in (2, 3, 7.5):
        assert schedule(epoch, EPOCHS, []) == bare(epoch - 2, EPOCHS - 2, [])


def test_warmup_0_returns_the_schedule_itself():
    schedule = partial(max, 0)
    assert warmup(schedule, 0.0) is schedule


def test_step_decay_changes_only_at_the_start_of_an_epoch(compose):
    schedule = make(compose, "step", "schedule.step_size=3", "schedule.gamma=0.5")
    assert [schedule(epoch, EPOCHS, []) for epoch in (0, 2.9, 3, 5.9, 6)] == [1, 1, 0.5, 0.5, 0.25]


@given(
    top=st.floats(0.01, 0.99),
    start=st.floats(1.5, 1000),
    end=st.floats(1.5, 1e6),
    form=st.sampled_from(["cos", "linear"]),
    three=st.booleans(),
)
def test_one_cycle_rises_to_its_maximum_falls_and_is_continuous(top, start, end, form, three):
    schedule = partial(
        one_cycle, max_epochs=100, scores=[], pct_start=top, div_factor=start,
        final_div_factor=end, anneal_strategy=form, three_phase=three,
    )  # fmt: skip
    assert schedule(0.0) == pytest.approx(1 / start)
    assert schedule(100 * top) == pytest.approx(1)
    assert schedule(100.0) == pytest.approx(1 / start / end, abs=1e-12)
    before = [schedule(100 * top * share / 20) for share in range(21)]
    after = [schedule(100 * (top + (1 - top) * share / 20)) for share in range(21)]
    assert before == sorted(before)
    assert all(high >= low - 1e-12 for high, low in pairwise(after))
    for corner in (top, 2 * top) if 2 * top < 1 else (top,):
        left, right = schedule(100 * corner - 1e-7), schedule(100 * corner + 1e-7)
        assert left == pytest.approx(right, abs=1e-4)
