"""An observer that cannot end the run it looks at."""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dlcourse.core import Fold, Observer, Recipe, State
from dlcourse.guard import warn

log = logging.getLogger(__name__)


class Guarded(Observer):
    """Passes every call on to an observer, and drops it with one warning when it raises.

    name: what the warning calls it. make: returns the observer for a run's folder.
    KeyboardInterrupt and SystemExit pass.
    """

    def __init__(self, name: str, make: Callable[[Path], Observer], folder: Path) -> None:
        self.name = name
        self.observer: Observer | None = None
        try:
            self.observer = make(folder)
        except Exception as error:  # of a user's own observer, whatever it is
            self.drop(error)

    def introduce(self, facts: Mapping[str, str], fold: int, folds: int) -> None:
        self.call("introduce", facts, fold, folds)

    def start(self, state: State, recipe: Recipe, fold: Fold) -> None:
        self.call("start", state, recipe, fold)

    def epoch(self, state: State) -> None:
        self.call("epoch", state)

    def finish(self, state: State, result: dict) -> None:
        self.call("finish", state, result)

    def close(self) -> None:
        self.call("close")

    def watch(self, batches: Iterable, count: int) -> Iterable:
        """Return the batches themselves where the observer does not look at them."""
        source = BatchSource(batches)
        seen = self.call("watch", source, count)
        return batches if seen is None or seen is source else self.follow(source, seen)

    def follow(self, source: "BatchSource", seen: Iterable) -> Iterator:
        """Yield every batch of the source once the observer has passed it on, or without it.

        What the observer yields in its place is not looked at.
        """
        passed = None
        while self.observer is not None:
            try:
                passed = iter(seen) if passed is None else passed
                next(passed)
            except StopIteration:
                break
            except Exception as error:
                if source.error is not None:  # the data cannot be read: not the observer's fault
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
            return getattr(self.observer, method)(*arguments)
        except Exception as error:
            self.drop(error, closed=method == "close")
            return None

    def drop(self, error: Exception, closed: bool = False) -> None:
        """Leave the observer out from now on, log one warning, and close what it has opened."""
        dropped, self.observer = self.observer, None
        warn(f"The observer {self.name} failed, and the run continues without it", error)
        if dropped is not None and not closed:
            try:
                dropped.close()
            except Exception:  # of an observer that has failed before
                log.info("The observer %s could not be closed", self.name, exc_info=True)


class BatchSource:
    """An epoch's batches, with those that were read and not handed on, and the error of reading."""

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
        """Yield the batches that were read and not handed on yet."""
        while self.waiting:
            yield self.waiting.popleft()
