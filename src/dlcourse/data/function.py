"""The data set that a user's own function returns."""

from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import Dataset as TorchDataset

from dlcourse.core import Dataset
from dlcourse.data.array_inputs import as_array
from dlcourse.data.arrays import Parts, dataset_of_arrays, find_arrays, need_train
from dlcourse.errors import UserError
from dlcourse.terminal.live_line import working

RETURNED_FORMS = (
    "X, y; X_train, y_train, X_test, y_test; (X_train, y_train), (X_test, y_test); a dict of such "
    "arrays; a torch Dataset, or one for training and one for testing; or a dlcourse.core.Dataset"
)
GIVEN_BY_NAME = ("root", "seed")  # arguments that a function gets if it has such parameters


def function(
    *,
    root: Path,
    seed: int,
    function: Callable[..., Any] | None,
    options: Mapping[str, Any] | None,
    task: str,
    layout: str,
    test_fraction: float,
) -> Dataset:
    """Return the data set that a function returns, called with ``options``.

    A function with a parameter ``root`` or ``seed`` gets the data folder or the seed of the data.
    It returns one of the RETURNED_FORMS; of six arrays or three pairs the second ones are the
    validation part. Arrays are those of numpy, torch, pandas, or lists. All examples are kept in
    memory. For ``task``, ``layout`` and ``test_fraction`` see ``arrays.dataset_of_arrays``.

    Raises UserError for a result of another form, and for arrays that are no data set.
    """
    assert function is not None  # a rule refuses it
    own, given = parameter_names(function), dict(options or {})
    offered = dict(zip(GIVEN_BY_NAME, (root, seed), strict=True))
    returned = function(**{name: offered[name] for name in own if name in offered} | given)
    if isinstance(returned, Dataset):
        return returned
    parts, names = parts_of(returned, dotted_name(function))
    return dataset_of_arrays(
        parts,
        name=getattr(function, "__name__", "function"),
        task=task,
        layout=layout,
        test_fraction=test_fraction,
        seed=seed,
        classes=names.get("classes"),
        features=names.get("features", ()),
        target_names=names.get("target_names", ()),
    )


def check_call_of(
    *, function: Callable[..., Any] | None, options: Mapping[str, Any] | None, **others: Any
) -> None:
    """Raise UserError if a function does not take the options; nothing is called."""
    if function is None:
        return
    try:
        parameters = signature(function)
    except ValueError:  # some functions in C have no signature
        return
    offered = dict.fromkeys(name for name in GIVEN_BY_NAME if name in parameters.parameters)
    try:
        parameters.bind(**offered | dict(options or {}))
    except TypeError as error:
        known = ", ".join(map(str, parameters.parameters.values()))
        raise UserError(
            f"{dotted_name(function)}: {error}.\n"
            f"It takes ({known}); type them as 'data.options={{<name>: <value>}}'"
        ) from error


function.check_options = check_call_of  # type: ignore[attr-defined]


def parameter_names(function: Callable) -> Sequence[str]:
    """Return the names of a function's parameters; () where they are not known."""
    try:
        return tuple(signature(function).parameters)
    except ValueError:
        return ()


def dotted_name(function: Callable) -> str:
    """Return the name of a function with its module."""
    return f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', function)}"


def parts_of(returned: Any, source: str) -> tuple[Parts, dict[str, Sequence[str]]]:
    """Return the arrays that a function returned, by part and role, and names of what is in them.

    source: of the function, for messages.
    """
    if isinstance(returned, Mapping):
        found = find_arrays(returned)
        names: dict[str, Sequence[str]] = dict(found.names)
        names["target_names"] = names.get("classes", ())
        return with_source(need_train(found, source), source), names
    if isinstance(returned, TorchDataset):
        returned = (returned,)
    if not isinstance(returned, tuple | list):
        raise other_form(source, f"{type(returned).__name__} {returned!r:.60}")
    if all(isinstance(one, TorchDataset) for one in returned) and len(returned) in (1, 2, 3):
        names = {"classes": getattr(returned[0], "classes", None) or ()}
        pairs = [all_examples(one, source) for one in returned]
        return by_part(pairs, source), {key: some for key, some in names.items() if len(some)}
    if all(isinstance(one, tuple) and len(one) == 2 for one in returned):
        pairs = list(returned)
    elif len(returned) in (2, 4, 6):
        pairs = list(zip(returned[::2], returned[1::2], strict=True))
    else:
        raise other_form(source, f"{len(returned)} values")
    refuse_the_order_of_train_test_split(pairs, source)
    columns = getattr(pairs[0][0], "columns", ())
    return by_part(pairs, source), {"features": [str(name) for name in columns]}


def by_part(pairs: Sequence[tuple[Any, Any]], source: str) -> Parts:
    """Return pairs of inputs and targets by part: train; train, test; or train, val, test."""
    if not 1 <= len(pairs) <= 3:
        raise other_form(source, f"{len(pairs)} pairs")
    names = {1: ("train",), 2: ("train", "test"), 3: ("train", "val", "test")}[len(pairs)]
    return with_source(
        {
            part: {"inputs": (f"X_{part}", inputs), "targets": (f"y_{part}", targets)}
            for part, (inputs, targets) in zip(names, pairs, strict=True)
        },
        source,
    )


def with_source(parts: Parts, source: str) -> Parts:
    """Return the arrays with the name of the function in their names, for messages."""
    return {
        part: {role: (f"{source}, {key}", array) for role, (key, array) in some.items()}
        for part, some in parts.items()
    }


def other_form(source: str, what: str) -> UserError:
    """Return the error for a result that is no data set."""
    return UserError(f"{source} returned {what}, which is no data set.\nReturn {RETURNED_FORMS}")


def refuse_the_order_of_train_test_split(pairs: Sequence[tuple[Any, Any]], source: str) -> None:
    """Raise UserError for X_train, X_test, y_train, y_test: the order of train_test_split."""
    if len(pairs) != 2:
        return
    (first, second), (third, fourth) = (tuple(map(as_array, pair)) for pair in pairs)
    dims = [array.ndim for array in (first, second, third, fourth)]
    if dims[0] == dims[1] > 1 and dims[2] == dims[3] == 1:
        raise UserError(
            f"{source} returned X_train, X_test, y_train, y_test, the order of train_test_split.\n"
            "Return X_train, y_train, X_test, y_test"
        )


def all_examples(dataset: TorchDataset, source: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the inputs and targets of all examples of a map-style data set, in memory.

    Raises UserError for a data set without a length, and for examples of different shapes.
    """
    if not hasattr(dataset, "__len__") or not hasattr(dataset, "__getitem__"):
        raise UserError(
            f"{source} returned a torch data set without a length, which streams its examples.\n"
            "Return one with __len__ and __getitem__"
        )
    inputs, targets = [], []
    count = len(dataset)  # type: ignore[arg-type]
    with working("reading examples", count) as advance:
        for number in range(count):
            example = dataset[number]
            if not isinstance(example, tuple | list) or len(example) != 2:
                raise UserError(
                    f"{source}: example {number} of the data set is no pair of an input and a "
                    "target.\nReturn (input, target) from its __getitem__"
                )
            inputs.append(as_array(example[0]))
            targets.append(as_array(example[1]))
            advance(1)
    for what, some in (("inputs", inputs), ("targets", targets)):
        shapes = {one.shape for one in some}
        if len(shapes) > 1:
            some_shapes = " and ".join(map(str, sorted(shapes)[:2]))
            raise UserError(
                f"{source}: the {what} of the data set have different shapes, {some_shapes}.\n"
                "Resize them to one shape, for example by a transform"
            )
    return np.stack(inputs), np.stack(targets)
