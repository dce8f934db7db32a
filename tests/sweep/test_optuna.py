"""Optuna's studies: their suggestions and results, and resuming after a kill."""

import sys
from types import SimpleNamespace

import pytest
from planning import conditional_keys_of

from dlcourse.errors import UserError
from dlcourse.sweep.manifest import Manifest
from dlcourse.sweep.methods.optuna import (
    JOURNAL,
    Study,
    check_search,
    drop_unfinished_line,
    import_optuna,
)

OPTIONS = {
    "trials": 6, "sampler": "tpe", "pruner": "median", "startup": 2, "patience": 2, "seed": 0,
    "storage": None, "study": None,
}  # fmt: skip
OVERRIDES = [
    "optim=sgd,adam", "optim.lr=tag(log,interval(0.001,1))", "optim.momentum=interval(0,0.9)",
    "batch_size=tag(log,interval(8,256))", "model.widths=[8],[16],[8]", "model=mlp",
]  # fmt: skip


@pytest.fixture(scope="module")
def conditional():
    return conditional_keys_of(*OVERRIDES)


@pytest.fixture
def study(conditional, tmp_path):
    """Return a function that opens the study of a folder, as every start of its sweep does."""

    def open_study(folder="here", mode="max", **options):
        (tmp_path / folder).mkdir(exist_ok=True)
        return Study(conditional, tmp_path / folder, mode, **(OPTIONS | options))

    return open_study


def stored(study):
    return study.study.get_trials(deepcopy=False)


def states(study):
    return [trial.state.name for trial in stored(study)]


def run_trials(study, values):
    """Finish one trial successfully with each of the values."""
    for value in values:
        study.tell(study.ask().number, value, "done")


def test_a_key_is_drawn_only_for_the_options_that_have_it(study):
    opened = study(trials=12, startup=6)
    points = {}
    while (trial := opened.ask()) is not None:
        points[trial.number] = dict(override.split("=", 1) for override in trial.point)
        opened.tell(trial.number, float(trial.number), "done")
    assert len(points) == 12
    assert {point["optim"] for point in points.values()} == {"sgd", "adam"}
    for trial in stored(opened):
        has = trial.params["optim"] == "sgd"
        assert ("optim.momentum" in trial.params) is has
        assert ("optim.momentum" in points[trial.number]) is has
        assert points[trial.number].keys() == trial.params.keys()


def test_the_overrides_of_a_trial_are_its_drawn_values_within_the_bounds(study):
    opened = study()
    for _ in range(6):
        trial = opened.ask()
        point = dict(override.split("=", 1) for override in trial.point)
        drawn = stored(opened)[trial.number].params
        assert 0.001 <= float(point["optim.lr"]) <= 1
        assert float(point["optim.lr"]) == pytest.approx(drawn["optim.lr"], rel=1e-5)
        assert int(point["batch_size"]) == drawn["batch_size"]
        assert 8 <= drawn["batch_size"] <= 256
        assert point["model.widths"] in ("[8]", "[16]")
    assert opened.ask() is None


def test_an_unfinished_trial_of_a_killed_study_is_proposed_again(study):
    first = study()
    run_trials(first, [0.5])
    second, third = first.ask(), first.ask()
    first.report(third.number, 1, 0.4)
    again = study()
    assert [again.ask(), again.ask()] == [second, third]
    assert again.report(third.number, 2, 0.6)
    again.tell(third.number, 0.6, "done")
    again.tell(second.number, 0.7, "done")
    assert stored(again)[third.number].intermediate_values == {1: 0.4, 2: 0.6}
    run_trials(again, [0.1] * 3)
    assert again.ask() is None
    assert states(again) == ["COMPLETE"] * 6
    assert study().ask() is None


def test_a_resumed_study_does_not_repeat_its_draws(study):
    whole, parts = study("whole", sampler="random"), study("parts", sampler="random")
    run_trials(whole, [0.5] * 4)
    run_trials(parts, [0.5] * 2)
    run_trials(study("parts", sampler="random"), [0.5] * 2)
    rates = [[trial.params["optim.lr"] for trial in stored(some)] for some in (whole, parts)]
    assert rates[0][:2] == rates[1][:2]
    assert len(set(rates[1])) == 4


def test_a_journal_left_by_a_killed_process_is_repaired(study, tmp_path):
    run_trials(study(), [0.5, 0.6])
    journal = tmp_path / "here" / JOURNAL
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code": 5, "trial_id"')
    (tmp_path / "here" / f"{JOURNAL}.lock").symlink_to(journal)
    (tmp_path / "here" / f"{JOURNAL}.lock1234.rename").touch()
    opened = study()
    assert [trial.value for trial in stored(opened)] == [0.5, 0.6]
    run_trials(opened, [0.7])
    assert [trial.value for trial in stored(study())] == [0.5, 0.6, 0.7]
    assert journal.read_bytes().startswith(whole)


@pytest.mark.parametrize(
    ("content", "left"), [(b"", b""), (b"a", b""), (b"a\nb", b"a\n"), (b"a\nb\n", b"a\nb\n")]
)
def test_only_an_incomplete_line_is_removed(tmp_path, content, left):
    path = tmp_path / "journal"
    drop_unfinished_line(path)  # no journal yet
    path.write_bytes(content)
    drop_unfinished_line(path)
    assert path.read_bytes() == left


def test_failed_trials_count_and_are_recorded_as_failed(study):
    opened = study(trials=3)
    opened.tell(opened.ask().number, None, "failed")
    run_trials(opened, [0.5])
    opened.tell(opened.ask().number, 0.7, "failed")  # one repeat had ended well
    assert states(opened) == ["FAIL", "COMPLETE", "FAIL"]
    assert opened.ask() is None


@pytest.mark.parametrize("mode", ["max", "min"])
def test_a_trial_that_is_far_worse_than_the_others_is_pruned(study, mode):
    opened = study(mode=mode, trials=20)
    better, worse = (1.0, 0.0) if mode == "max" else (0.0, 1.0)
    for _ in range(2):
        number = opened.ask().number
        assert all(opened.report(number, step, better) for step in range(1, 6))
        opened.tell(number, better, "done")
    number = opened.ask().number
    decisions = [opened.report(number, step, worse) for step in range(1, 4)]
    assert decisions == [True, False, False]  # patience: the first one is too early
    opened.tell(number, None, "pruned")
    assert states(opened)[-1] == "PRUNED"
    good = opened.ask().number
    assert all(opened.report(good, step, better) for step in range(1, 6))
    assert opened.study.direction.name == {"max": "MAXIMIZE", "min": "MINIMIZE"}[mode]


def test_pruner_none_prunes_nothing(study):
    opened = study(pruner="none")
    assert not opened.prunes
    for value in (1.0, 1.0, 0.0):
        number = opened.ask().number
        assert all(opened.report(number, step, value) for step in range(1, 9))
        opened.tell(number, value, "done")


@pytest.mark.parametrize("sampler", ["tpe", "random", "qmc"])
@pytest.mark.parametrize("pruner", ["halving", "hyperband"])
def test_samplers_and_pruners_work_together(study, sampler, pruner):
    opened = study(sampler=sampler, pruner=pruner, trials=4)
    assert opened.prunes
    for value in (0.1, 0.5, 0.3, 0.2):
        number = opened.ask().number
        for step in range(1, 4):
            opened.report(number, step, value)
        opened.tell(number, value, "done")
    assert opened.ask() is None


def test_more_trials_extend_a_study_and_fewer_change_nothing(study):
    run_trials(study(trials=2), [0.5, 0.6])
    assert study(trials=2).ask() is None
    assert study(trials=1).ask() is None
    more = study(trials=4)
    assert [more.ask().number, more.ask().number, more.ask()] == [2, 3, None]


def test_a_study_is_not_resumed_in_another_mode(study):
    study(mode="max")
    with pytest.raises(UserError, match=r"started to maximize .*mode=min"):
        study(mode="min")


def test_the_key_that_matters_has_the_largest_importance(study):
    opened = study(trials=24, sampler="random", pruner="none")
    assert opened.importances() is None
    while (trial := opened.ask()) is not None:
        drawn = stored(opened)[trial.number].params
        opened.tell(trial.number, float(drawn["batch_size"]), "done")
    shares = opened.importances()
    assert max(shares, key=shares.get) == "batch_size"
    assert sum(shares.values()) == pytest.approx(1)
    same = study("same", trials=5)
    run_trials(same, [0.5] * 5)
    assert same.importances() is None  # equal values: no variance to attribute


def test_sweeps_in_several_folders_share_a_database(study, tmp_path):
    shared = {"storage": f"sqlite:///{tmp_path}/shared.db", "study": "ours", "trials": 4}
    here, there = study("here", **shared), study("there", **shared)
    numbers = [opened.ask().number for opened in (here, there, here, there)]
    assert numbers == [0, 1, 2, 3]
    assert here.ask() is None
    assert there.ask() is None
    for opened, number in zip((here, there, here, there), numbers, strict=True):
        opened.tell(number, float(number), "done")
    assert [trial.value for trial in stored(here)] == [0.0, 1.0, 2.0, 3.0]
    check_search(OPTIONS | shared)


def test_a_trial_that_runs_in_another_folder_is_not_proposed(study, tmp_path):
    shared = {"storage": f"sqlite:///{tmp_path}/shared.db", "study": "ours", "trials": 3}
    theirs = study("there", **shared).ask()
    ours = study("here", **shared).ask()
    for folder, trial in {"there": theirs, "here": ours}.items():
        point = trial._asdict() | {"jobs": []}
        manifest = Manifest([], None, "", "optuna", [], "val/accuracy", "max", 1, [point])
        manifest.write(tmp_path / folder)
    again = study("here", **shared)
    assert again.ask() == ours
    assert again.ask().number == 2
    assert again.ask() is None
    assert study("there", **shared).ask() == theirs


def test_a_moved_sweep_keeps_its_trials(study, tmp_path):
    unfinished = study().ask()
    (tmp_path / "here").rename(tmp_path / "moved")
    opened = study("moved")
    assert opened.ask() == unfinished


def test_an_unreachable_storage_is_named_in_the_error(tmp_path):
    for storage in (f"sqlite:///{tmp_path}/no/such.db", "nonsense", "mysql+nothing://x/y"):
        with pytest.raises(UserError) as refused:
            check_search(OPTIONS | {"storage": storage})
        assert str(refused.value).startswith(f"sweep.storage={storage} cannot be reached: ")


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (None, "sweep=optuna needs optuna, which is not installed"),
        (SimpleNamespace(__version__="3.6.2"), "Optuna 4 or newer, and 3.6.2 is installed"),
    ],
    ids=["missing", "old"],
)
def test_a_missing_or_old_optuna_is_reported_in_one_message(monkeypatch, module, message):
    monkeypatch.setitem(sys.modules, "optuna", module)
    with pytest.raises(UserError) as refused:
        import_optuna()
    assert message in str(refused.value)
    assert "'dlcourse[search]'" in str(refused.value)


def test_a_missing_library_of_a_sampler_is_reported_in_one_message(monkeypatch):
    monkeypatch.setitem(sys.modules, "cmaes", None)
    with pytest.raises(UserError, match=r"needs the library cmaes.\nType pip install cmaes"):
        check_search(OPTIONS | {"sampler": "cmaes"})
