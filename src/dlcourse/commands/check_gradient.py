"""Compare a hand-written backward with numeric gradients of its forward, in double precision.

    dlcourse check-gradient
    dlcourse check-gradient wrong=true
    dlcourse check-gradient function=my_layer.affine_sqnl shapes=4x3,5x3,5

function: takes tensors and returns one; the default is dlcourse's own example. shapes: of its
arguments, which are drawn from a normal distribution with ``seed``. wrong=true: the same example
with an error in its backward, a missing factor of 1/2.

Prints for each argument the entry where the two gradients differ most and the relative error
|analytic - numeric| / max(|analytic|, |numeric|), with norms over all entries. The exit status is 1
if an error is above 1e-6. A kink, such as ReLU's at 0, also shows as an error.
"""

import sys
from collections.abc import Callable
from importlib import import_module

from dlcourse.errors import UserError
from dlcourse.schema.arguments import arguments, whole_number_argument
from dlcourse.schema.bounds import SEED

EXAMPLE = "dlcourse.layer.hand_written.affine_sqnl"
ALLOWED = 1e-6


def main(args: list[str]) -> None:
    """Compare the gradients and print them."""
    defaults = {"function": EXAMPLE, "shapes": "4x3,5x3,5", "seed": "0", "wrong": "false"}
    options = arguments(args, defaults, __doc__)
    shapes = read_shapes(options["shapes"])
    seed = whole_number_argument(options, "seed", SEED)
    if options["wrong"] not in ("true", "false") or (
        options["wrong"] == "true" and options["function"] != EXAMPLE
    ):
        raise UserError("wrong= is true or false, and true is for dlcourse's own example only.")
    function = example_with_error() if options["wrong"] == "true" else find(options["function"])

    import torch

    from dlcourse.introspect.gradient_check import analytic_gradients, numeric_gradients

    generator = torch.Generator().manual_seed(seed)
    drawn = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]
    try:
        analytic = analytic_gradients(function, drawn)
    except (RuntimeError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise UserError(
            f"{options['function']} with arguments of {options['shapes']} fails: {error}\n"
            "Type shapes=<the shapes of its arguments>; it must call its Function through .apply"
        ) from error
    worst = print_errors(analytic, numeric_gradients(function, drawn))
    if not worst <= ALLOWED:  # NaN is wrong as well
        print(f"The backward is wrong: a relative error is {worst:.1e}, allowed is {ALLOWED:.0e}.")
        sys.exit(1)
    print(f"The backward is right: no relative error is above {ALLOWED:.0e}.")


def read_shapes(text: str) -> list[tuple[int, ...]]:
    """Turn ``4x3,5`` into [(4, 3), (5,)]; raises UserError for any other text."""
    shapes = [shape.split("x") for shape in text.split(",")]
    if not all(side.isdecimal() and int(side) > 0 for shape in shapes for side in shape):
        raise UserError(f"shapes={text} is not understood.\nType, for example, shapes=4x3,5x3,5")
    return [tuple(map(int, shape)) for shape in shapes]


def find(name: str) -> Callable:
    """Import the function ``module.name``; raises UserError if it cannot be imported."""
    module, _, attribute = name.rpartition(".")
    try:
        return getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(
            f"function={name} cannot be imported: {error}.\n"
            "Type function=<module>.<function>; the module is looked for in the current folder"
        ) from error


def example_with_error() -> Callable:
    """Return dlcourse's example with a wrong derivative, 1 - |x| instead of 1 - |x| / 2."""
    from dlcourse.layer.hand_written import Affine, SquareNonlinearity

    class Wrong(SquareNonlinearity):
        @staticmethod
        def backward(ctx, gradient):
            (inputs,) = ctx.saved_tensors
            return gradient * (1 - inputs.abs()).clamp(min=0)

    return lambda inputs, weight, bias: Wrong.apply(Affine.apply(inputs, weight, bias))


def print_errors(analytic: list, numeric: list) -> float:
    """Print a row for each argument; return the largest relative error, NaN if one is NaN."""
    import torch
    from rich.console import Console
    from rich.table import Table

    from dlcourse.introspect.gradient_check import relative_error

    table = Table("argument", "shape", "farthest at", "analytic", "numeric", "relative error")
    errors = []
    for number, (left, right) in enumerate(zip(analytic, numeric, strict=True), start=1):
        place = (left - right).abs().argmax()
        at = tuple(int(index) for index in torch.unravel_index(place, left.shape))
        errors.append(relative_error(left, right))
        table.add_row(
            str(number),
            " x ".join(map(str, left.shape)),
            ", ".join(map(str, at)),
            f"{left[at]:.10f}",
            f"{right[at]:.10f}",
            f"{errors[-1]:.1e}",
        )
    Console(width=None if sys.stdout.isatty() else 110).print(table)
    return next((error for error in errors if error != error), max(errors))
