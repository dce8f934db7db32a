"""An observer whose errors cannot end the run."""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from dlcourse.core import AllFolds, FinalTest, Fold, Observer, Recipe, State
from dlcourse.distributed.ranks import alone
from dlcourse.guard import warn

log = logging.getLogger(__name__)


class Guarded(Observer):
    """Forwards every call to an observer, and drops the observer with one warning if it raises.

    name: of the observer, for the warning. make: returns the observer for a run's folder.
    KeyboardInterrupt and SystemExit are not caught.
    """

    def __init__(self, name: str, make: Callable[[Path], Observer], folder: Path) -> None:
        self.name = name
        self.observer: Observer | None = None
        try:
            self.observer = make(folder)
        except Exception as error:  # a user's observer may raise anything
            self.drop(error)

    def introduce(self, facts: Mapping[str, str], fold: int, folds: int) -> None:
        self.call("introduce", facts, fold, folds)

    def start(self, state: State, recipe: Recipe, fold: Fold) -> None:
        self.call("start", state, recipe, fold)

    @property
    def losses(self) -> Callable[[State, Sequence[float]], None] | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The observer's ``losses``, guarded; None if it has none."""
        wanted = getattr(self.observer, "losses", None)
        return None if wanted is None else partial(self.call, "losses")

    def epoch(self, state: State) -> None:
        self.call("epoch", state)

    def diverged(self, state: State) -> None:
        if hasattr(self.observer, "diverged"):
            self.call("diverged", state)

    def tested(self, test: FinalTest) -> None:
        if hasattr(self.observer, "tested"):  # not an observer that derives from no class
            self.call("tested", test)

    def finish(self, state: State, result: dict) -> None:
        self.call("finish", state, result)

    def finish_folds(self, folds: AllFolds) -> None:
        self.call("finish_folds", folds)

    def close(self) -> None:
        self.call("close")

    def watch(self, batches: Iterable, count: int) -> Iterable:
        """Return the batches unchanged if the observer does not wrap them."""
        source = BatchSource(batches)
        seen = self.call("watch", source, count)
        return batches if seen is None or seen is source else self.follow(source, seen)

    def follow(self, source: "BatchSource", seen: Iterable) -> Iterator:
        """Yield every batch of the source after the observer has read it, or without the observer.

        The values that the observer yields are ignored.
        """
        passed = None
        while self.observer is not None:
            try:
                passed = iter(seen) if passed is None else passed
                next(passed)
            except StopIteration:
                break
            except Exception as error:
                if source.error is not None:  # reading the data failed, not the observer
                    raise source.error from None
                self.drop(error)
            yield from source.read_so_far()
        yield from source.read_so_far()
        yield from source.batches

    def call(self, method: str, *arguments: Any) -> Any:
        """Call a method of the observer; return None if it has been dropped or is dropped now."""
        if self.observer is None:
            return None
        try:
            with alone():  # only rank 0 has observers
                return getattr(self.observer, method)(*arguments)
        except Exception as error:
            self.drop(error, closed=method == "close")
            return None

    def drop(self, error: Exception, closed: bool = False) -> None:
        """Stop calling the observer, log one warning, and close it."""
        dropped, self.observer = self.observer, None
        warn(f"The observer {self.name} failed, and the run continues without it", error)
        if dropped is not None and not closed:
            try:
                dropped.close()
            except Exception:  # it has failed before
                log.info("The observer %s could not be closed", self.name, exc_info=True)


class BatchSource:
    """An epoch's batches, with a queue of those read but not yielded, and an error of reading."""

    def __init__(self, batches: Iterable) -> None:
        self.batches = iter(batches)
        self.waiting: deque = deque()
        self.error: Exception | None = None

    def __iter__(self) -> Iterator:
        return self

    def __next__(self) -> Any:
        try:
            batch = next(self.batches)
        except StopIteration:
            raise
        except Exception as error:
            self.error = error
            raise
        self.waiting.append(batch)
        return batch

    def read_so_far(self) -> Iterator:
        """Yield the batches that were read and not yielded yet."""
        while self.waiting:
            yield self.waiting.popleft()
