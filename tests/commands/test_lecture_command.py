"""``dlcourse lecture`` lists, runs, judges claims and refuses what it does not know."""

import json
import sys
from types import SimpleNamespace

import pytest

from dlcourse.commands.main import run_command
from dlcourse.drawing.style import empty_figure
from dlcourse.lecture import run_lecture as module
from dlcourse.lecture import site
from dlcourse.lecture.bench import Bench
from dlcourse.lecture.claim import Claim
from dlcourse.lecture.html import formula, html_of
from dlcourse.lecture.syllabus import TOPICS

TEXT = "## Run it\n\n{{ run() }}\n\nIt is {{ n.value | fixed(1) }}.\n\n{{ claims() }}\n"


@pytest.fixture
def lecture(tmp_path, monkeypatch, capsys):
    """Return a function that runs ``dlcourse lecture`` in an empty folder.

    It returns the exit status and what was printed.
    """
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["dlcourse lecture", *arguments])
        status = 0
        try:
            run_command("lecture")
        except SystemExit as ended:
            status = ended.code
        printed = capsys.readouterr()
        return SimpleNamespace(status=status, out=printed.out, err=printed.err)

    return run


@pytest.fixture
def measured(monkeypatch):
    """Replace the perceptron's experiment: it claims that a number, which is returned, is 1."""
    values = {"value": 1.0}

    def measure(bench):
        bench.number("value", values["value"])
        bench.figure("square", empty_figure(2, 2))
        bench.claim("The value is 1", values["value"], at_least=1, at_most=1)

    fake = SimpleNamespace(measure=measure, SMOKE=(), FULL=())
    monkeypatch.setattr(module, "import_module", lambda name: fake)
    read = module.Topic
    topic = read("perceptron", "A title", 5, "A line", TEXT)
    monkeypatch.setattr("dlcourse.commands.lecture.read_topic", lambda name: topic)
    return values


def test_a_lecture_prints_its_claims_and_writes_its_page(lecture, measured, tmp_path):
    ended = lecture("perceptron")
    assert ended.status == 0
    assert "yes  The value is 1: 1 (at least 1 and at most 1)" in ended.out
    (page,) = tmp_path.glob("outputs/lecture/*/page.html")
    assert "It is 1.0." in page.read_text()
    record = json.loads((page.parent / "lecture.json").read_text())
    assert record["numbers"] == {"value": 1.0}
    assert (page.parent / "images/square.png").exists()


def test_a_claim_that_does_not_hold_is_a_failure(lecture, measured):
    measured["value"] = 1.5
    ended = lecture("perceptron")
    assert ended.status == 1
    assert "NO   The value is 1: 1.5" in ended.out


def test_a_value_that_is_not_a_number_supports_no_claim(lecture, measured):
    measured["value"] = float("nan")
    assert lecture("perceptron").status == 1
    assert not Claim("x", float("nan"), at_most=1).holds


def test_the_smoke_form_judges_no_claim(lecture, measured):
    measured["value"] = 0.0
    ended = lecture("perceptron", "size=smoke")
    assert ended.status == 0
    assert "The value is 1" not in ended.out


def test_a_page_can_be_written_again_from_stored_numbers(lecture, measured, tmp_path, monkeypatch):
    monkeypatch.setattr(site, "DOCS", tmp_path)
    monkeypatch.setattr(site, "PAGES", tmp_path / "lectures")
    monkeypatch.setattr(site, "IMAGES", tmp_path / "images")
    assert lecture("perceptron", "--page").status == 0
    page = tmp_path / "lectures/perceptron.md"
    first = page.read_text()
    assert "It is 1.0." in first
    assert (tmp_path / "images/perceptron-square.png").exists()
    page.unlink()
    measured["value"] = 2.0  # it is not run again
    assert lecture("perceptron", "--page", "--stored").status == 0
    assert page.read_text() == first


def test_page_outside_a_clone_is_refused(lecture, measured, tmp_path, monkeypatch):
    monkeypatch.setattr(site, "DOCS", tmp_path / "nowhere")
    ended = lecture("perceptron", "--page")
    assert ended.status == 2
    assert "docs of a clone" in ended.err


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (["perceptrn"], "did you mean perceptron?"),
        (["perceptron", "size=large"], "size=large is not allowed"),
        (["perceptron", "sise=full"], "did you mean size?"),
        (["perceptron", "size=full"], "has no full form"),
        (["perceptron", "--page", "size=smoke"], "not size=smoke"),
        (["--stored"], "--stored belongs to --page"),
        (["--paeg"], "--paeg is not understood"),
    ],
)
def test_a_wrong_argument_is_refused_with_one_message(lecture, typed, message, tmp_path):
    ended = lecture(*typed)
    assert ended.status == 2
    assert message in ended.err
    assert "Traceback" not in ended.err
    assert not (tmp_path / "outputs").exists()


def test_the_list_names_every_lecture_with_its_time(lecture):
    ended = lecture()
    assert ended.status == 0
    assert all(any(f"  {name} " in line for line in ended.out.splitlines()) for name in TOPICS)
    assert "All of them take" in ended.out


def test_overrides_of_a_size_replace_those_of_the_lecture(tmp_path):
    bench = Bench(tmp_path, "smoke", ("max_epochs=1", "optim=sgd,adam"))
    sized = bench._sized(["experiment=lecture/optimizers", "optim=gd", "seed=3"])
    assert sized == [
        "experiment=lecture/optimizers",
        "seed=3",
        "max_epochs=1",
        "optim=sgd,adam",
        "observe=[history]",
    ]


def test_a_function_and_its_argument_are_set_apart():
    assert formula(r"\sin a", "inline").count("<mspace") == 1
    assert "<mspace" not in formula(r"\sin(a) + ab", "inline")


def test_formulas_become_mathml():
    page = html_of("# T\n\nInline $x^2$ and\n\n$$\\frac{1}{n}$$\n", "T & t")
    assert page.count("<math") == 2
    assert "<mfrac>" in page
    assert "<title>T &amp; t</title>" in page
