"""Compare two finished runs, and write the comparison as text, plots and a page."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dlcourse import atomic_files
from dlcourse.drawing.text import fonts_for
from dlcourse.errors import UserError
from dlcourse.report.comparison.differences import (
    Options,
    Row,
    option_differences,
    result_rows,
)
from dlcourse.report.comparison.paired_tests import McNemar, PairedErrors, compare_errors, mcnemar
from dlcourse.report.comparison.sides import Side, read_sides
from dlcourse.report.comparison.text import (
    SEEDS_NOTE,
    agreement_text,
    both_runs,
    class_rows,
    errors_text,
    mcnemar_text,
    options_text,
    table_text,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlcourse.engine.same_examples import SameExamples

PAGE = "comparison.html"


@dataclass(frozen=True)
class Comparison:
    """Two finished runs side by side.

    same: both predictions on the same test examples; without one, left_out is the reason.
    test: McNemar's test of two classifiers, or the paired errors of two regressions.
    """

    first: Side
    second: Side
    options: Options
    results: list[Row]
    same: "SameExamples | None" = None
    test: McNemar | PairedErrors | None = None
    left_out: str = ""

    def text(self, width: int = 100) -> str:
        """Return the comparison as text, at most ``width`` columns wide."""
        return "\n\n".join(body for _, body in self.sections(width))

    def sections(self, width: int) -> Iterator[tuple[str, str]]:
        """Yield a title and a text for each part."""
        yield "Runs", both_runs(self.first, self.second)
        yield "Options that differ", options_text(self.options, width)
        yield "Results", table_text("result", self.results, width)
        if self.same is None:
            yield "Test", wrapped(f"No test on the same examples: {self.left_out}", width)
            return
        if isinstance(self.test, PairedErrors):
            yield "Test", wrapped(f"{errors_text(self.test)}\n{SEEDS_NOTE}", width)
            return
        assert isinstance(self.test, McNemar)
        if self.has_equal_outputs():
            verdict = "A and B give the same outputs for every test example."
        else:
            verdict = f"{mcnemar_text(self.test)}\n{SEEDS_NOTE}"
        yield "Test", f"{agreement_text(self.test)}\n\n{wrapped(verdict, width)}"
        yield "By class", table_text("recall (examples)", class_rows(self.same.by_class), width)

    def has_equal_outputs(self) -> bool:
        """Return whether the two models give the same outputs for every test example."""
        return self.same is not None and bool((self.same.a == self.same.b).all())

    def figures(self) -> Iterator[tuple[str, str, "Figure"]]:
        """Yield the name, the title and the drawing of each plot."""
        from dlcourse.report.plots import comparison as figures

        curves = figures.curves_figure(self.first, self.second)
        if curves is not None:
            yield "curves", "Curves", curves
        if self.same is None:
            return
        if isinstance(self.test, PairedErrors):
            yield "errors", "Errors on the test part", figures.errors_figure(self.same, self.test)
            return
        assert isinstance(self.test, McNemar)
        yield "agreement", "Test part", figures.agreement_figure(self.same, self.test)
        images = figures.disagreements_figure(self.same)
        if images is not None:
            yield "disagreements", "Where they disagree", images

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        from dlcourse.drawing.files import figure_bytes
        from dlcourse.report.comparison.page import body_of

        with fonts_for(self.first.result["classes"]):
            images = [(title, figure_bytes(figure)) for _, title, figure in self.figures()]
        return body_of(self, images)


def compare_runs(
    first: Path, second: Path, *, trust: Sequence[str] = (), root: str = "",
    device: str | None = None,
) -> Comparison:  # fmt: skip
    """Compare two finished runs; both models predict the test part again.

    trust: modules outside dlcourse that their configs may call. root: replaces ``data.root``.
    Raises UserError for runs that cannot be compared. Where only the test is not possible, the
    comparison has the reason in place of it.
    """
    a, b = read_sides(first, second)
    options, results = option_differences(a, b), result_rows(a, b)
    from dlcourse.engine.retest import retest
    from dlcourse.engine.same_examples import SameExamples, same_examples

    try:
        tested = [retest(side.folder, trust=trust, root=root, device=device) for side in (a, b)]
        same = same_examples(*tested)
    except UserError as error:
        same = str(error)
    if not isinstance(same, SameExamples):
        return Comparison(a, b, options, results, left_out=same)
    if same.classes:
        test = mcnemar(same.right(same.a), same.right(same.b))
    else:
        test = compare_errors(same.error(same.a), same.error(same.b))
    return Comparison(a, b, options, results, same, test)


def write_comparison(comparison: Comparison, folder: Path) -> list[Path]:
    """Write the plots, as PNG and SVG, and the page into a folder; return the files."""
    from dlcourse.drawing.files import save_figure
    from dlcourse.report.comparison.page import page_of

    written, images = [], []
    with fonts_for(comparison.first.result["classes"]):
        for name, title, figure in comparison.figures():
            png, *others = save_figure(figure, folder / name)
            written += [png, *others]
            images.append((title, png.read_bytes()))
    atomic_files.write_text(folder / PAGE, page_of(comparison, images))
    return [*written, folder / PAGE]
