"""Draw activation functions and their derivatives, and print where they saturate.

    dlcourse show what=activation
    dlcourse show what=activation activation=relu,gelu,leaky_relu:0.2
    dlcourse show what=activation activation=sigmoid low=-8 high=8

activation: names, with their numbers as in model.activation; all of them by default. low, high: the
range that is drawn. The derivative is that of autograd; of heaviside and sign it is 0, and the
straight-through gradient with which they are trained is drawn as well. Saturated means
|f'(x)| < 0.01.

Writes activation.png and activation.svg into a new folder below outputs/show/.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from dlcourse.errors import UserError
from dlcourse.preview.output import new_folder, refuse_run_options, save_shown
from dlcourse.schema.arguments import number_argument
from dlcourse.schema.bounds import ACTIVATION_NAMES
from dlcourse.schema.kinds import Number
from dlcourse.terminal.fitted import print_table, wrap_to_terminal
from dlcourse.terminal.live_line import working

if TYPE_CHECKING:
    import numpy as np

    from dlcourse.drawing.functions import FunctionCurve

OPTIONS = {"activation": "", "low": "-4", "high": "4"}
FORMULAS = {
    "identity": "x",
    "heaviside": "1 if x > 0, else 0",
    "sign": "-1, 0 or 1",
    "sigmoid": "1 / (1 + exp(-x))",
    "tanh": "(exp(x) - exp(-x)) / (exp(x) + exp(-x))",
    "arctan": "arctan(x)",
    "relu": "max(0, x)",
    "leaky_relu": "x if x > 0, else a x",
    "rrelu": "x if x > 0, else a x, a random",
    "prelu": "x if x > 0, else a x, a learned",
    "elu": "x if x > 0, else a (exp(x) - 1)",
    "gelu": "x P(Z < x), Z standard normal",
    "gelu_tanh": "x (1 + tanh(.8 (x + .045 x^3))) / 2",
    "softplus": "log(1 + exp(b x)) / b",
    "softsign": "x / (1 + |x|)",
    "isru": "x / sqrt(1 + a x^2)",
    "isrlu": "x if x > 0, else x / sqrt(1 + a x^2)",
    "sqnl": "x - x |x| / 4 within [-2, 2]",
    "bipolar_relu": "max(0, x); odd units min(0, x)",
    "gaussian": "exp(-x^2)",
    "saturation": "x, clipped to [-b, b]",
    "silu": "x / (1 + exp(-x))",
    "selu": "1.05 x if x > 0, else 1.76 (exp(x) - 1)",
}
"""Every activation of one variable, which are all but maxout."""

DERIVATIVE_NOTES = {
    "heaviside": "f' = 0; trained with the dotted gradient",
    "sign": "f' = 0; trained with the dotted gradient",
    "rrelu": "with the mean a, as in evaluation",
}
STRAIGHT_THROUGH = ("heaviside", "sign")
"""The activations whose gradient in training is not their derivative, which is 0."""
FLAT_SLOPE = 0.01
SHORTEST = 0.5
SEARCHED = 10.0  # saturation is searched from -SEARCHED to SEARCHED
FUNCTION_POINTS = 4001  # an odd number: one of them is 0


def show(options: Mapping[str, str], rest: Sequence[str], command: str) -> None:
    """Compute the functions, draw them and print the table."""
    refuse_run_options("activation", rest, OPTIONS)
    bounds = Number(-1000, 1000, 4)
    low, high = (number_argument(options, key, bounds) for key in ("low", "high"))
    if low >= high:
        raise UserError(f"low={low:g} is not below high={high:g}.\nType low=-4 high=4")
    names = options["activation"].strip("[]").split(",") if options["activation"] else [*FORMULAS]
    for name in names:
        if name.partition(":")[0] == "maxout":
            raise UserError(
                "activation=maxout is the largest of several sums, not a function of one number.\n"
                f"Type one of {', '.join(one for one in ACTIVATION_NAMES if one != 'maxout')}"
            )

    with working("importing PyTorch", plain=False):
        from dlcourse.drawing.functions import draw_functions
    curves = [curve_of(name.strip(), low, high) for name in names]
    print_functions([curve_of(name.strip(), -SEARCHED, SEARCHED) for name in names])
    title = "Activation functions" if len(names) > 1 else "Activation function"
    chosen = "-".join(names) if options["activation"] else "all"
    save_shown(
        {"activation": draw_functions(curves, title)},
        new_folder(f"activation_{chosen.replace(':', '_')}"),
    )


def curve_of(name: str, low: float, high: float) -> "FunctionCurve":
    """Return a function and its derivative by autograd, in evaluation mode and double precision.

    The derivative of a straight-through activation is 0, and autograd's gradient its surrogate.
    """
    import numpy as np
    import torch

    from dlcourse.drawing.functions import FunctionCurve
    from dlcourse.layer.activation import activation_layer

    layer = activation_layer(name).double().eval()
    places = torch.linspace(low, high, FUNCTION_POINTS, dtype=torch.float64).round(decimals=9)
    places.requires_grad_()
    values = layer(places.unsqueeze(1)).squeeze(1)
    (slopes,) = torch.autograd.grad(values.sum(), places)
    x, f = places.detach().numpy() + 0.0, values.detach().numpy().copy()
    jumps = np.abs(np.diff(f)) > 0.5
    f[1:][jumps] = np.nan  # a gap, not a steep line
    plain = name.partition(":")[0]
    formula, note = FORMULAS[plain], DERIVATIVE_NOTES.get(plain, "")
    gradient = slopes.numpy()
    if plain not in STRAIGHT_THROUGH:
        return FunctionCurve(name, formula, x, f, gradient, note)
    derivative = np.where(np.isnan(f), np.nan, 0.0)
    return FunctionCurve(name, formula, x, f, derivative, note, surrogate=gradient)


def print_functions(curves: Sequence["FunctionCurve"]) -> None:
    """Print for each function its formula, range, steepest place and where it saturates."""
    import numpy as np

    rows = []
    for curve in curves:
        steep = np.nan_to_num(np.abs(curve.slopes))  # 0 at a jump, where there is no derivative
        top = np.flatnonzero(steep >= steep.max() - 1e-9)
        at = f"{curve.places[top[0]]:.3g}" if len(top) <= 2 else "many" if steep.any() else "-"
        minus, plus = (f"{np.interp(x, curve.places, curve.values):.3g}" for x in (-1, 1))
        flat_where = intervals(curve.places, steep < FLAT_SLOPE)
        rows.append((curve.name, curve.formula, minus, plus, f"{steep.max():.4g}", at, flat_where))
    head = ("activation", "f(x)", "f(-1)", "f(1)", "max |f'|", "at x", "saturated where")
    left = ("activation", "f(x)", "saturated where")
    print_table(head, rows, left=left, optional=("f(x)", "at x", "f(-1)", "f(1)"))
    replaced = [curve.name for curve in curves if curve.surrogate is not None]
    if replaced:
        print(wrap_to_terminal(
            f"{' and '.join(replaced)}: the derivative is 0 wherever it exists, so training uses "
            "the straight-through gradient instead: 1 for |x| <= 1, and 0 elsewhere."
        ))  # fmt: skip


def intervals(places: "np.ndarray", inside: "np.ndarray") -> str:
    """Return where a condition holds: ``x < -4.6, x > 4.6``; short intervals are left out."""
    import numpy as np

    edges = np.flatnonzero(np.diff(np.concatenate([[False], inside, [False]]).astype(int)))
    found = []
    for start, end in zip(edges[::2].tolist(), (edges[1::2] - 1).tolist(), strict=True):
        low, high = f"{places[start]:.3g}", f"{places[end]:.3g}"
        if start == 0 and end == len(places) - 1:
            found.append("everywhere")
        elif start == 0:
            found.append(f"x < {high}")
        elif end == len(places) - 1:
            found.append(f"x > {low}")
        elif places[end] - places[start] >= SHORTEST:  # shorter: a zero of the derivative
            found.append(f"{low} to {high}")
    return ", ".join(found) or "nowhere"
