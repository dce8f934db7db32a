"""Show the arithmetic of a convolution: sizes, the cells that outputs see, matrix, transpose.

    dlcourse show what=convolution
    dlcourse show what=convolution size=7 kernel=3 stride=2 padding=1
    dlcourse show what=convolution size=7 kernel=3 dilation=2
    dlcourse show what=convolution transposed=3:2,4:2,5:3

size, kernel: the sides of the square map and of the kernel. stride, padding, dilation: as in
torch.nn.Conv2d. input, weights: the numbers of the map and of the kernel, row by row; by default
the worked example of 4 x 4 by 3 x 3, else whole numbers from 1 to 9. transposed: kernel:stride of
the transposed convolutions whose overlaps are compared.

Writes into a new folder below outputs/show/, as PNG and SVG: windows, the cells that each output
sees; matrix, the convolution as a product with a (Toeplitz) matrix, for maps of at most 6 x 6; and
transposed, the number of inputs that reach each output of a transposed convolution.
"""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from dlcourse.errors import UserError
from dlcourse.preview.output import new_folder, refuse_run_options, save_shown
from dlcourse.schema.arguments import numbers_argument, whole_number_argument
from dlcourse.schema.bounds import whole_number
from dlcourse.terminal.fitted import print_table, wrap_to_terminal
from dlcourse.terminal.live_line import working

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

OPTIONS = {
    "size": "4", "kernel": "3", "stride": "1", "padding": "0", "dilation": "1",
    "input": "", "weights": "", "transposed": "3:2,4:2",
}  # fmt: skip
SIDES = {
    "size": whole_number(1, 12, 7),
    "kernel": whole_number(1, 7, 3),
    "stride": whole_number(1, 6, 2),
    "padding": whole_number(0, 6, 1),
    "dilation": whole_number(1, 4, 2),
}
MAP_OF_THE_EXAMPLE = [4, 5, 8, 7, 1, 8, 8, 8, 3, 6, 6, 4, 6, 5, 7, 8]
KERNEL_OF_THE_EXAMPLE = [1, 4, 1, 1, 4, 3, 3, 3, 1]
LARGEST_MATRIX = 36  # columns of the matrix that are drawn and printed
ENLARGED = 4  # side of the input of the transposed convolutions


def show(options: Mapping[str, str], rest: Sequence[str], command: str) -> None:
    """Compute everything with the functions of layer/convolution.py, print it and draw it."""
    refuse_run_options("convolution", rest, OPTIONS)
    sides = {key: whole_number_argument(options, key, allowed) for key, allowed in SIDES.items()}
    pairs = transposed_argument(options["transposed"])

    with working("importing PyTorch", plain=False):
        from dlcourse.layer.convolution import output_size
    size, kernel, stride, padding, dilation = sides.values()
    output = output_size(size, kernel, stride, padding, dilation)
    text = (
        f"A map of {size} x {size} and a kernel of {kernel} x {kernel} with stride {stride}, "
        f"padding {padding} and dilation {dilation} give {output} x {output}:\n"
        f"floor(({size} + 2 x {padding} - {dilation} x ({kernel} - 1) - 1) / {stride}) + 1 = "
        f"{output}"
    )
    print(wrap_to_terminal(text))
    print_sizes(size, kernel)
    values = square("input", options, size, MAP_OF_THE_EXAMPLE)
    weights = square("weights", options, kernel, KERNEL_OF_THE_EXAMPLE)
    figures = {"windows": windows_figure(sides, values)}
    if size * size <= LARGEST_MATRIX:
        figures["matrix"] = matrix_figure(sides, values, weights)
    else:
        wide = f"The matrix has {size * size} columns and is shown for maps of at most 6 x 6."
        print(wrap_to_terminal(wide))
    figures["transposed"] = overlaps_figure(pairs)
    save_shown(figures, new_folder(f"convolution_{size}_{kernel}"))


def transposed_argument(text: str) -> list[tuple[int, int]]:
    """Return the pairs of kernel and stride of ``3:2,4:2``; raises UserError for other text."""
    found = [re.fullmatch(r"([1-9]):([1-9])", part) for part in text.strip("[]").split(",")]
    if not all(found) or len(found) > 4:
        raise UserError(
            f"transposed={text} is not allowed: it takes up to 4 pairs of kernel:stride, each from "
            "1 to 9.\nType, for example, transposed=3:2,4:2"
        )
    return [(int(one[1]), int(one[2])) for one in found if one]


def square(key: str, options: Mapping[str, str], side: int, example: Sequence[int]) -> "Tensor":
    """Return the numbers of a square map (side, side): given, of the worked example, or drawn."""
    import torch

    if options[key]:
        numbers = numbers_argument(options, key)
        if len(numbers) != side * side:
            raise UserError(
                f"{key} has {len(numbers)} numbers, and {side} x {side} are {side * side}.\n"
                f"Type {side * side} numbers, row by row"
            )
        return torch.tensor(numbers).view(side, side)
    if len(example) == side * side:
        return torch.tensor(example, dtype=torch.float32).view(side, side)
    generator = torch.Generator().manual_seed(0)
    return torch.randint(1, 10, (side, side), generator=generator).float()


def print_sizes(size: int, kernel: int) -> None:
    """Print the output's side for strides 1 to 3, paddings 0 to 2 and dilations 1 and 2."""
    from dlcourse.layer.convolution import output_size

    strides = (1, 2, 3)
    rows = []
    for padding in (0, 1, 2):
        for dilation in (1, 2):
            fits = size + 2 * padding >= dilation * (kernel - 1) + 1
            found = [
                str(output_size(size, kernel, stride, padding, dilation)) if fits else "-"
                for stride in strides
            ]
            rows.append((str(padding), str(dilation), *found))
    head = ("padding", "dilation", *(f"stride {stride}" for stride in strides))
    print_table(head, rows, title=f"Side of the output, input {size}, kernel {kernel}")


def windows_figure(sides: Mapping[str, int], values: "Tensor") -> "Figure":
    """Return the figure of the cells that each output sees."""
    import torch
    from torch.nn import functional as F

    from dlcourse.drawing.cells import draw_windows
    from dlcourse.layer.convolution import toeplitz

    size, kernel, stride, padding, dilation = sides.values()
    padded = size + 2 * padding
    ones = dilated(torch.ones(kernel, kernel), dilation)
    rows = toeplitz(ones, (padded, padded), stride)
    output = round(len(rows) ** 0.5)
    seen = rows.view(output, output, padded, padded) > 0
    shown = F.pad(values, [padding] * 4)
    title = (
        f"What each of {output} x {output} outputs sees: kernel {kernel}, stride {stride}, "
        f"padding {padding}, dilation {dilation}"
    )
    return draw_windows(seen.numpy(), shown.numpy(), padding, title)


def dilated(kernel: "Tensor", dilation: int) -> "Tensor":
    """Return a kernel with dilation - 1 zeros between neighbouring weights."""
    side = dilation * (len(kernel) - 1) + 1
    spread = kernel.new_zeros(side, side)
    spread[::dilation, ::dilation] = kernel
    return spread


def matrix_figure(sides: Mapping[str, int], values: "Tensor", weights: "Tensor") -> "Figure":
    """Print every output as a sum of products, and return the figure of the matrix product."""
    from dlcourse.drawing.cells import draw_product
    from dlcourse.layer.convolution import toeplitz

    size, kernel, stride, padding, dilation = sides.values()
    matrix = toeplitz(dilated(weights, dilation), (size, size), stride, padding)
    vector = values.flatten()
    result = matrix @ vector
    side = round(len(result) ** 0.5)
    print(f"As a product with a matrix of {matrix.shape[0]} x {matrix.shape[1]}:")
    for number, (row, total) in enumerate(zip(matrix, result.tolist(), strict=True)):
        pairs = zip(row.tolist(), vector.tolist(), strict=True)
        terms = " + ".join(f"{weight:g} x {value:g}" for weight, value in pairs if weight)
        place = f"{number // side + 1}, {number % side + 1}"
        print(wrap_to_terminal(f"Output {place}: {terms} = {total:g}"))
    shown = [", ".join(f"{total:g}" for total in row) for row in result.view(side, side).tolist()]
    print(f"Result: [[{'], ['.join(shown)}]]")
    title = f"A convolution as a matrix product: {size} x {size} by {kernel} x {kernel}"
    return draw_product(matrix.numpy(), vector.numpy(), result.numpy(), title)


def overlaps_figure(pairs: Sequence[tuple[int, int]]) -> "Figure":
    """Print and draw how many inputs reach each output of transposed convolutions."""
    from dlcourse.drawing.cells import draw_overlaps
    from dlcourse.layer.convolution import overlap_counts

    counts, names = [], []
    for kernel, stride in pairs:
        found = overlap_counts(kernel, stride, ENLARGED)
        edge = kernel - 1
        inner = found[edge : len(found) - edge, edge : len(found) - edge]
        levels = sorted(set(inner.flatten().tolist())) if inner.numel() else []
        even = kernel % stride == 0
        what = "even inside" if even else "checkerboard"
        text = (
            f"Transposed convolution, kernel {kernel}, stride {stride}: {ENLARGED} x {ENLARGED} to "
            f"{len(found)} x {len(found)}; {what}"
            + (f": {', '.join(map(str, levels))} inputs reach an inner output" if levels else "")
            + "."
        )
        print(wrap_to_terminal(text))
        counts.append(found.numpy())
        names.append(f"kernel {kernel}, stride {stride}: {what}")
    title = "Transposed convolution: the number of inputs that reach each output"
    return draw_overlaps(counts, names, title)
