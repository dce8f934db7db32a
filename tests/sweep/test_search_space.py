"""The search spaces of a command: Hydra's grammar, whole numbers, intervals, errors."""

import math

import hypothesis.strategies as st
import pytest
from conftest import options
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from planning import loader, spaces_of

from dlcourse.errors import UserError
from dlcourse.sweep.search_space import DIGITS, Space, read_spaces

LISTS = {
    "optim.lr=0.1,0.01": ("0.1", "0.01"),
    "optim.lr=choice(0.1,0.01)": ("0.1", "0.01"),
    "optim.lr=choice(0.1)": ("0.1",),
    "optim.lr=tag(coarse,choice(0.1,0.01))": ("0.1", "0.01"),
    "optim.lr=sort(0.1,0.01,0.05)": ("0.01", "0.05", "0.1"),
    "optim.lr=sort(0.1,0.01,reverse=true)": ("0.1", "0.01"),
    "max_epochs=range(2,9,3)": ("2", "5", "8"),
    "max_epochs=range(3)": ("0", "1", "2"),
    "optim.lr=range(0.1,0.35,0.1)": None,
    "seed=int(choice(1.0,2.0))": ("1", "2"),
    "model.widths=[16],[64,32],[]": ("[16]", "[64,32]", "[]"),
    "batch_size=64,full": ("64", "full"),
    "model.activation='relu','tanh'": ("'relu'", "'tanh'"),
    "augment=[crop,flip],[]": ("[crop,flip]", "[]"),
    "+model.speed=1,2": ("1", "2"),
}


@pytest.mark.parametrize("override", LISTS)
def test_a_list_is_read_in_its_typed_order(override):
    (space,) = spaces_of(override)
    assert space.key == override.partition("=")[0]
    assert not space.is_interval
    if LISTS[override] is not None:
        assert space.values == LISTS[override]
    else:
        assert [float(value) for value in space.values] == pytest.approx([0.1, 0.2, 0.3])


def test_a_glob_matches_the_options_of_a_group():
    (space,) = spaces_of("model=glob(vgg*)")
    assert list(space.values) == [name for name in options("model") if name.startswith("vgg")]
    (space,) = spaces_of("optim=glob(*,exclude=[a*,s*])")
    assert set(space.values) == {name for name in options("optim") if name[0] not in "as"}


INTERVALS = {
    "optim.lr=interval(0.001,0.1)": Space("optim.lr", "", (), 0.001, 0.1),
    "optim.lr=interval(1,2)": Space("optim.lr", "", (), 1.0, 2.0),
    "optim.lr=tag(log,interval(0.001,0.1))": Space("optim.lr", "", (), 0.001, 0.1, log=True),
    "model.dropout=interval(0,0.5)": Space("model.dropout", "", (), 0.0, 0.5),
    "batch_size=interval(2,9)": Space("batch_size", "", (), 2, 9, whole=True),
    "batch_size=tag(log,int(interval(8,256)))":
        Space("batch_size", "", (), 8, 256, log=True, whole=True),
    "+model.speed=int(interval(1,5))": Space("+model.speed", "", (), 1, 5, whole=True),
    "optim.lr@sgd=interval(0.1,1)": Space("optim.lr", "sgd", (), 0.1, 1.0),
}  # fmt: skip


@pytest.mark.parametrize("override", INTERVALS)
def test_an_interval_is_read_with_its_bounds_scale_and_type(override):
    assert spaces_of(override) == [INTERVALS[override]]


def test_a_key_that_takes_whole_numbers_makes_its_interval_whole():
    for key in ("batch_size", "seed", "stop.patience", "split.folds"):
        assert spaces_of(f"{key}=interval(2,9)")[0].whole
    for key in ("optim.lr", "optim.weight_decay", "model.dropout", "optim.beta"):
        assert not spaces_of(f"{key}=interval(0,0.5)")[0].whole


def test_a_later_override_of_a_key_replaces_an_earlier_one():
    overrides = ["optim.lr=0.1,1", "seed=3", "optim.lr=0.5", "seed=1,2"]
    overrides += ["max_epochs=2", "max_epochs=4"]
    fixed, spaces = read_spaces(overrides, loader())
    assert fixed == ["optim.lr=0.5", "max_epochs=4"]
    assert spaces == [Space("seed", "", ("1", "2"))]


def test_a_key_has_a_common_space_and_a_space_of_one_option():
    common, attached = spaces_of("optim.lr=0.1,1", "optim.lr@adam=0.001,0.01")
    assert (common.name, attached.name) == ("optim.lr", "optim.lr@adam")
    assert common.key == attached.key == "optim.lr"
    assert attached.group == "optim"


def test_a_list_of_one_value_does_not_vary():
    assert not spaces_of("optim.lr=choice(0.1)")[0].varies
    assert spaces_of("optim.lr=0.1,0.2")[0].varies
    assert spaces_of("optim.lr=interval(0.1,1)")[0].varies


REFUSED = {
    "workers=1,2": "workers cannot be swept",
    "check=true,false": "check cannot be swept",
    "sweep.draws=1,2": "sweep.draws cannot be swept",
    "sweep=grid,zip": "sweep cannot be swept",
    "resume=a,b": "resume cannot be swept",
    "observe=[history],[console]": "observe cannot be swept",
    "data.root=a,b": "Type one value, data.root=<value>",
    "model=glob(nothing*)": "it contains no value",
    "optim.lr=glob(*)": "it contains no value",
    "batch_size=range(1,3,0.5)": "a step of 0.5 from 1",
    "batch_size=range(0.5,3)": "from 0.5 gives fractions",
    "batch_size=interval(1.5,3)": "takes whole numbers, got 1.5 and 3",
    "optim.lr=interval(1,0.1)": "from a smaller number to a larger one, got 1, 0.1",
    "optim.lr=interval(1,1)": "from a smaller number to a larger one",
    "optim.lr=interval(0,inf)": "from a smaller number to a larger one",
    "optim.lr=interval(0,nan)": "from a smaller number to a larger one",
    "optim.lr=tag(log,interval(0,1))": "a log scale takes positive numbers, got 0",
    "optim.lr=tag(log,interval(-1,1))": "a log scale takes positive numbers, got -1",
    "optim.lr=tag(square,interval(0.1,1))": "the tag square is unknown; log is the only",
}


@pytest.mark.parametrize("override", REFUSED)
def test_an_override_that_cannot_be_swept_is_refused_by_name(override):
    with pytest.raises(UserError) as refused:
        spaces_of(override)
    message = str(refused.value)
    assert message.startswith(override)
    assert REFUSED[override] in message
    assert "\nType " in message


finite = st.floats(-1e12, 1e12, allow_subnormal=False)
positive = st.floats(1e-12, 1e12)
shares = st.floats(0, 1)


@given(finite, finite, shares)
def test_a_number_drawn_from_an_interval_is_within_its_bounds(one, other, share):
    low, high = sorted((one, other))
    drawn = Space("x", "", (), low, high).at(share)
    assert low <= float(drawn) <= high


@given(positive, positive, shares)
def test_a_number_drawn_from_a_log_interval_is_within_its_bounds(one, other, share):
    low, high = sorted((one, other))
    drawn = Space("x", "", (), low, high, log=True).at(share)
    assert low <= float(drawn) <= high


@given(st.integers(1, 10**9), st.integers(1, 10**9), shares, st.booleans())
def test_a_number_drawn_from_a_whole_interval_is_whole_and_within_its_bounds(
    one, other, share, log
):
    low, high = sorted((one, other))
    assert low <= int(Space("x", "", (), low, high, log=log, whole=True).at(share)) <= high


@given(positive, positive, shares)
def test_a_drawn_number_has_few_digits_and_hydra_reads_the_same_number(one, other, share):
    low, high = sorted((one, other))
    text = Space("x", "", (), low, high).at(share)
    if float(text) not in (low, high):  # the bounds are kept as they are
        assert float(text) == float(f"{float(text):.{DIGITS}g}")
    (override,) = OverridesParser.create().parse_overrides([f"x={text}"])
    assert override.value() == float(text)


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("whole", [False, True])
def test_the_shares_0_and_1_are_the_bounds(log, whole):
    space = Space("x", "", (), 2, 9, log=log, whole=whole)
    assert (float(space.at(0)), float(space.at(1))) == (2, 9)


def test_the_middle_of_a_log_interval_is_the_geometric_mean():
    assert float(Space("x", "", (), 0.001, 0.1, log=True).at(0.5)) == pytest.approx(0.01)
    assert float(Space("x", "", (), 0.001, 0.1).at(0.5)) == pytest.approx(0.0505)


def test_a_space_of_single_values_has_no_bounds():
    assert math.isnan(Space("x", "", ("1",)).low)
