"""An observer that fails is dropped with one warning, and the run ends with its result."""

import pytest
from conftest import options

from dlcourse.core import Observer
from dlcourse.engine.run import run
from dlcourse.observe.guarded import Guarded

MOMENTS = ("make", "start", "watch", "in the batches", "epoch", "finish", "close")


class Failing(Observer):
    """Raises at one moment and records all calls."""

    __module__, __qualname__ = "dlcourse.observe.history", "History"  # the name in a config
    moment = ""

    def __init__(self, folder):
        self.calls = []
        self.look("make")

    def look(self, moment):
        self.calls.append(moment)
        if moment == type(self).moment:
            raise OSError("No space left on device")

    def start(self, state, recipe, fold):
        self.look("start")

    def watch(self, batches, count):
        self.look("watch")
        return self.follow(batches)

    def follow(self, batches):
        for number, batch in enumerate(batches):
            if number == 1:
                self.look("in the batches")
            yield batch

    def epoch(self, state):
        self.look("epoch")

    def finish(self, state, result):
        self.look("finish")

    def close(self):
        self.look("close")


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_observer_that_raises_is_dropped_with_one_warning_and_the_run_ends(
    moment, tiny, tmp_path, caplog, monkeypatch
):
    from dlcourse.runs.run_folder import read_result

    plain = tiny("model=mlp", "observe=[]", "max_epochs=2", "batch_size=16")
    run(plain, tmp_path / "plain")
    monkeypatch.setattr("dlcourse.observe.history.History", Failing)
    monkeypatch.setattr(Failing, "moment", moment)
    run(tiny("model=mlp", "observe=[history]", "max_epochs=2", "batch_size=16"), tmp_path / "run")
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1
    assert "observer history" in warnings[0]
    assert "No space left on device" in warnings[0]
    ours, theirs = read_result(tmp_path / "run"), read_result(tmp_path / "plain")
    assert ours["test"] == theirs["test"]
    assert ours["best"] == theirs["best"]


def test_the_result_is_written_before_the_observers_finish(tiny, tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(
        "dlcourse.observe.history.History.finish",
        lambda self, state, result: written.append((tmp_path / "run/result.json").exists()),
    )
    run(tiny("model=mlp", "observe=[history]", "max_epochs=1"), tmp_path / "run")
    assert written == [True]


def test_an_observer_passed_to_run_may_end_the_run(tiny, tmp_path):
    class Pruner(Observer):
        def epoch(self, state):
            raise RuntimeError("hopeless")

    with pytest.raises(RuntimeError, match="hopeless"):
        run(tiny("model=mlp", "observe=[]"), tmp_path / "run", observers=[Pruner()])
    assert not (tmp_path / "run/result.json").exists()


def test_ctrl_c_in_an_observer_ends_the_run(tmp_path):
    def interrupted(folder):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Guarded("own", interrupted, tmp_path)


def watched(follow, batches):
    """Return a guarded observer that watches by ``follow``, and the batches that training gets."""

    class Own(Observer):
        def watch(self, batches, count):
            return follow(batches)

    guard = Guarded("own", lambda folder: Own(), None)
    return guard, guard.watch(batches, 5)


def ahead(batches):
    """Read two batches ahead, and raise before the first is yielded."""
    batches = iter(batches)
    next(batches), next(batches)
    raise ValueError("broken")
    yield


def changed(batches):
    for batch in batches:
        yield -batch


def few(batches):
    yield next(iter(batches))


def closing(batches):
    yield from []
    raise ValueError("before the first")


@pytest.mark.parametrize("follow", [ahead, changed, few, closing, lambda b: None, lambda b: 3])
def test_training_gets_every_batch_once_and_unchanged(follow):
    assert list(watched(follow, iter(range(5)))[1]) == [0, 1, 2, 3, 4]


def test_batches_that_no_observer_changes_are_passed_on_directly():
    batches = range(5)
    assert watched(lambda batches: batches, batches)[1] is batches


def test_an_error_in_reading_data_is_raised_and_the_observer_is_kept():
    def broken():
        yield 0
        raise OSError("the file is gone")

    guard, batches = watched(changed, broken())
    with pytest.raises(OSError, match="the file is gone"):
        list(batches)
    assert guard.observer is not None


def test_every_observer_is_guarded(tiny, tmp_path, monkeypatch):
    class Nothing(Observer):
        pass

    made = []
    monkeypatch.setattr(
        "dlcourse.engine.fold.Guarded", lambda name, make, folder: made.append(name) or Nothing()
    )
    names = sorted(options("observe"))
    run(tiny("model=mlp", f"observe=[{','.join(names)}]", "max_epochs=1"), tmp_path / "run")
    assert sorted(made) == names
