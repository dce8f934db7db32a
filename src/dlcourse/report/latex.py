"""The ranking as a LaTeX table."""

from dlcourse.drawing.text import visible
from dlcourse.report.keys import split_keys
from dlcourse.report.points import Point
from dlcourse.report.rows import OPTIONS, header, more, rows

SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "$": r"\$",
    "#": r"\#", "_": r"\_", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "±": r"$\pm$", "–": r"\textendash{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "[": "{[}", "]": "{]}",
}  # fmt: skip


def latex(points: list[Point], keys: list[str]) -> str:
    """Return a ``tabular`` in the manner of booktabs, the best row of every data set bold."""
    keys, shared = split_keys(points, keys)
    names = header(points, keys, shared)
    columns = "".join("l" if name in (*keys, OPTIONS) else "r" for name in names)
    cells = [[escaped(cell) for cell in row] for row in rows(points, keys, shared)]
    lines = [
        r"% \usepackage{booktabs}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        joined([escaped(name) for name in names]),
        r"\midrule",
        *(joined(bold(row) if row[0] == "1" else row) for row in cells),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join([*lines, *([f"% {more(points)}"] if more(points) else [])]) + "\n"


def bold(cells: list[str]) -> list[str]:
    """Return the cells in bold."""
    return [rf"\textbf{{{cell}}}" if cell else "" for cell in cells]


def joined(cells: list[str]) -> str:
    """Return the cells as a row."""
    return " & ".join(cells) + r" \\"


def escaped(text: str) -> str:
    """Return text that LaTeX prints as it is."""
    letters = visible(" ".join(text.split()))
    return "".join(SPECIAL.get(letter, letter) for letter in letters).replace("--", "-{}-")
