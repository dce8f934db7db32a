"""The report as one HTML page and as Markdown."""

import base64
import hashlib
import io
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image
from run_folders import crossed, held_out, write_history, write_run, write_sweep

from dlcourse.commands import report
from dlcourse.errors import UserError
from dlcourse.report import page_images
from dlcourse.report.page import write_page
from dlcourse.report.page_question import question_text
from dlcourse.report.points import column_keys, group_points
from dlcourse.report.runs import find_runs

HOSTILE = "</script><script>alert('1')</script> \"'><img src=x onerror=alert(2)> \U0001f600 {{7*7}}"
WITHOUT_END = {"meta", "img", "br", "line", "circle", "path", "input", "hr"}


class Page(HTMLParser):
    """The elements, attributes and texts of a page; raises AssertionError if tags do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in WITHOUT_END:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("script", "style"):
            self.texts.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


def page_of(*folders, **places):
    path = write_page(list(folders), **places)
    return Page(path.read_text(encoding="utf-8"))


def trained(folder, *overrides, val=0.9, test=0.8, epochs=4, plots=()):
    """Write a finished run with a history and with images of these names."""
    result = held_out(val, test, data="digits", device="cpu", versions={"torch": "2.11"})
    write_run(folder, *overrides, ending=result)
    rising = [val * (epoch + 1) / epochs for epoch in range(epochs)]
    write_history(folder, val_accuracy=rising, val_loss=[1 - one for one in rising])
    for name in plots:
        write_image(folder / f"plots/{name}.png")
    return folder


def write_image(path, width=300, height=120):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)


@pytest.fixture
def sweep(tmp_path):
    """Return a sweep of two rates with four seeds each; one more rate diverged."""
    folder = tmp_path / "sweep"
    points = [
        {"values": {"optim.lr": rate}, "jobs": [f"{rate}-{seed}" for seed in range(4)]}
        for rate in ("0.1", "0.01", "9")
    ]
    words = ["model=mlp", "optim.lr=0.1,0.01,9", "seeds=4"]
    write_sweep(folder, ["optim.lr"], points, words=words, config_dir=None)
    for rate, val in ((0.1, 0.9), (0.01, 0.7)):
        for seed in range(4):
            overrides = ["model=mlp", f"optim.lr={rate}", f"seed={seed}"]
            trained(
                folder / f"{rate}-{seed}", *overrides, val=val + seed / (100 if val > 0.8 else 50)
            )
    for seed in range(4):
        lost = {"reason": "Training diverged in epoch 1", "diverged": True}
        overrides = ["model=mlp", "optim.lr=9", f"seed={seed}"]
        write_run(folder / f"9-{seed}", *overrides, ending=lost, name="failure.json")
    return folder


def test_the_page_of_a_sweep_has_the_question_the_answer_and_the_command(sweep):
    text = page_of(sweep).text
    assert "Which optim.lr is best for model=mlp with optim=adam on data=digits?" in text
    assert "3 points, 4 seeds each: 12 runs." in text
    assert "The best of 2 points (1 more have no finished run) is optim.lr=0.1: " in text
    assert "val/accuracy 0.9150 ± 0.0129" in text
    assert "95 % interval" in text
    assert "paired t-test over 4 seeds" in text
    assert "dlcourse sweep model=mlp optim.lr=0.1,0.01,9 seeds=4" in text
    assert "Training diverged in epoch 1" in text
    assert "dlcourse train model=mlp optim.lr=0.1 seed=2" in text


def test_the_options_that_differ_are_apart_from_the_common_ones(sweep):
    text = page_of(sweep).text
    assert "These differ between the runs: option values" in text
    assert "optim.lr 0.1, 0.01, 9 seed 0, 1, 2, 3" in text
    common = text.index("options that all runs have in common")
    assert text.index("batch_size 64") > common


def test_curves_are_an_inline_image_with_the_values_for_the_script(sweep):
    path = write_page([sweep])
    page = Page(path.read_text(encoding="utf-8"))
    assert "lr=0.1" in page.text
    assert len(page.all("figure")) == 2
    ((data,),) = [re.findall(r'type="application/json">(.*?)</script>', path.read_text())]
    values = json.loads(data)
    assert [entry["name"] for entry in values["legend"]] == ["lr=0.1", "lr=0.01", "lr=9: diverged"]
    assert [chart["metric"] for chart in values["charts"]] == ["val/accuracy", "val/loss"]
    epoch, value, text = values["charts"][0]["lines"][0]["values"][-1]
    assert (epoch, value) == (4, 0.915)
    assert text == "0.9150 (4 repeats, 0.9000 to 0.9300)"


def test_the_page_can_make_no_request_and_runs_only_its_own_script(sweep):
    for name in ("heat_map", "confusion"):
        write_image(sweep / f"0.1-3/plots/{name}.png")
    path = write_page([sweep])
    source = path.read_text(encoding="utf-8")
    page = Page(source)
    (policy,) = [m["content"] for m in page.all("meta") if "content-security" in str(m).lower()]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for tag in ("script", "style"):
        contents = re.findall(rf"<{tag}>(.*?)</{tag}>", source, re.DOTALL)
        assert len(contents) == 1
        digest = base64.b64encode(hashlib.sha256(contents[0].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    addresses = [
        value
        for _, attributes in page.elements
        for key, value in attributes.items()
        if key in ("src", "href", "srcset", "action", "data", "poster", "xlink:href")
    ]
    assert len(addresses) == 2
    assert all(re.match("data:image/(png|webp);base64,", address) for address in addresses)
    assert "url(" not in source
    assert "@import" not in source
    assert not [key for _, attributes in page.elements for key in attributes if key[:2] == "on"]


def test_hostile_names_are_shown_as_text(tmp_path):
    name = "<b>run</b> \"q\" 'p' \U0001f600 & [x](y)"
    run = trained(tmp_path / name, f"data.file={HOSTILE}", f"model.name={HOSTILE}", plots=["<i>x"])
    trained(tmp_path / "other", "data.file=plain", f"model.name={HOSTILE}2", val=0.5)
    path = write_page([run, tmp_path / "other"], html=tmp_path / "page.html")
    page = Page(path.read_text(encoding="utf-8"))
    assert len(page.all("script")) == 2
    assert len(page.all("img")) == 1
    assert not page.all("b")
    assert not page.all("i")
    assert HOSTILE in page.text
    assert name in page.text
    assert "49" not in re.findall(r"\U0001f600 (\S+)", page.text)
    written = (tmp_path / "page.md").read_text(encoding="utf-8")
    outside = re.sub(r"^(`{3,})\n.*?\n\1$", "", written, flags=re.DOTALL | re.MULTILINE)
    outside = outside.replace("<!-- dlcourse report -->", "")
    assert not re.search(r"(?<!\\)<", outside)
    link = re.search(r"!\[.*\]\((.*)\)", outside)[1]
    assert re.fullmatch(r"[\w%./~-]+", link)


def test_a_single_run_has_one_table_and_its_own_command(tmp_path):
    run = trained(tmp_path / "run", "model=lenet", plots=["confusion", "curves"])
    page = page_of(run)
    assert "How well does model=lenet with optim=adam do on data=digits? 1 run." in page.text
    assert "The result: val/accuracy 0.9000 in epoch 3 of 5, test/accuracy 0.8000." in page.text
    assert "rank" not in page.text
    assert "dlcourse train model=lenet" in page.text
    assert [image["alt"].split(",")[0] for image in page.all("img")] == ["Confusion"]
    assert "plots/curves.png" in (run / "report.md").read_text()


def test_a_cross_validation_has_a_table_of_folds_with_mean_and_deviation(tmp_path):
    write_run(tmp_path / "cv", ending=crossed([0.8, 0.9, 1.0], [0.7, 0.8, 0.6]))
    for number in range(3):
        write_history(tmp_path / f"cv/fold{number}", val_accuracy=[0.1, 0.8])
    text = page_of(tmp_path / "cv").text
    assert "fold0 3 of 5 0.8000 0.7000" in text
    assert "mean 0.9000 0.7000 sd 0.1000 0.1000" in text
    assert "3 folds: 1 run" in text


def test_several_folders_are_one_page_in_the_current_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        trained(tmp_path / name, f"model={name}")
    report.main(["a", "b"])
    assert (tmp_path / "report.html").exists()
    assert (tmp_path / "report.md").exists()
    assert not (tmp_path / "a/report.html").exists()
    answer, place = capsys.readouterr().out.splitlines()
    assert answer.startswith("The best of 2 points is model=")
    assert answer in (tmp_path / "report.md").read_text().replace("\\", "")
    assert place.startswith("The page is report.html, which is in the current folder;")


def test_the_answer_of_one_run_is_printed_with_the_place_of_the_page(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    trained(tmp_path / "a", "model=mlp")
    report.main(["a"])
    answer, place = capsys.readouterr().out.splitlines()
    assert answer.startswith("The result: val/accuracy ")
    assert place == "The page is a/report.html; as Markdown: a/report.md"


def test_losses_of_different_kinds_have_sections_of_their_own(tmp_path):
    for number, loss in enumerate(("mse", "hinge")):
        for rate in (0.1, 0.2):
            overrides = [
                f"optim.lr={rate}",
                "monitor=val/loss",
                f"loss._target_=dlcourse.loss.{loss}",
            ]
            write_run(tmp_path / f"{number}{rate}", *overrides, 'mode="min"', ending=held_out(rate))
    page = page_of(tmp_path)
    assert page.text.count("no common scale") == 2
    assert page.text.count("Results by val/loss") == 2


def test_runs_without_history_and_plots_have_a_page(tmp_path):
    write_run(tmp_path / "old", ending=held_out(0.9))
    page = page_of(tmp_path / "old")
    assert "val/accuracy 0.9000" in page.text
    assert not page.all("figure")


def test_a_damaged_image_is_named_and_the_others_are_shown(tmp_path):
    run = trained(tmp_path / "run", plots=["confusion"])
    (run / "plots/broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    whole = (run / "plots/confusion.png").read_bytes()
    (run / "plots/cut.png").write_bytes(whole[: len(whole) // 2])
    page = page_of(run)
    assert len(page.all("img")) == 1
    assert "Broken (broken.png): cannot be read" in page.text
    assert "Cut (cut.png): cannot be read" in page.text


def test_images_are_made_small_and_those_without_room_are_named(tmp_path, monkeypatch):
    run = trained(tmp_path / "run")
    for name in ("a", "b"):
        write_image(run / f"plots/{name}.png", 1500, 600)
    (image,) = page_of(run).all("img")[:1]
    content = base64.b64decode(image["src"].partition(",")[2])
    assert Image.open(io.BytesIO(content)).size == (page_images.MAIN_WIDTH, 400)
    assert (image["width"], image["height"]) == ("1000", "400")
    monkeypatch.setattr(
        page_images.Room, "__init__", lambda self: setattr(self, "left", len(content))
    )
    page = page_of(run)
    assert len(page.all("img")) == 1
    assert "left out: the page would be too large" in page.text


def test_the_images_of_the_best_run_are_shown_and_those_of_others_folded_away(tmp_path):
    for name, val in (("worse", 0.5), ("best", 0.9)):
        trained(tmp_path / name, f"model={name}", val=val, plots=["confusion"])
    source = write_page([tmp_path]).read_text(encoding="utf-8")
    best, worse = (
        source.index(f'alt="Confusion, {tmp_path / name}"') for name in ("best", "worse")
    )
    assert best < worse
    assert "<details>" in source[best:worse]
    assert "</details>" not in source[best : source.index("<details>", best)]


def test_what_look_has_drawn_is_on_the_page(tmp_path):
    run = trained(tmp_path / "run")
    write_image(run / "look/filters-features.0.png")
    assert "Look: filters, features.0" in page_of(run).text


def test_warnings_in_logs_are_listed_once(sweep):
    for seed in range(3):
        line = "[2026-11-27 08:05:00,1][WARNING] The plot heat_map failed: <b>\n[x][INFO] epoch 1\n"
        (sweep / f"0.1-{seed}/train.log").write_text(line)
    assert "warning: The plot heat_map failed: <b> (3 runs)" in page_of(sweep).text


@pytest.mark.parametrize("name", ["report.html", "report.md"])
def test_a_file_of_another_program_is_never_overwritten(sweep, name):
    (sweep / name).write_text("mine")
    with pytest.raises(UserError, match="not a report of dlcourse"):
        write_page([sweep])
    assert (sweep / name).read_text() == "mine"
    other = "report.md" if name == "report.html" else "report.html"
    assert not (sweep / other).exists()


def test_a_report_is_written_again_and_is_the_same(sweep):
    first = write_page([sweep]).read_bytes(), (sweep / "report.md").read_bytes()
    assert (write_page([sweep]).read_bytes(), (sweep / "report.md").read_bytes()) == first


def test_a_folder_without_a_finished_run_is_refused(tmp_path):
    write_run(tmp_path / "run")
    with pytest.raises(UserError, match="is not finished: it has no result"):
        write_page([tmp_path])
    assert not (tmp_path / "report.html").exists()


def test_overrides_that_dlcourse_does_not_store_are_not_shown_as_a_command(tmp_path):
    run = trained(tmp_path / "run")
    (run / ".hydra/overrides.yaml").write_text("['--config-dir=/tmp; rm -rf ~']")
    with pytest.raises(UserError, match="not an override that dlcourse stores"):
        write_page([run])


@pytest.mark.parametrize(
    ("runs", "question"),
    [
        (
            ["model=a", "model=b"],
            "Which model is best for optim=adam on data=digits? 2 points: 2 runs.",
        ),
        (
            ["seed=0", "seed=1"],
            "How well does model=mlp with optim=adam do on data=digits? 2 seeds: 2 runs.",
        ),
        (
            ["model=a optim=sgd", "model=b optim=adam"],
            "Which combination of model and optim is best on data=digits? 2 points: 2 runs.",
        ),
        (
            ["data=a", "data=b"],
            "How well does model=mlp with optim=adam do on each of data=a, b? 2 points: 2 runs.",
        ),
        (
            ["data.file=a optim=sgd", "data.file=b optim=adam"],
            "Which optim is best for model=mlp on each of 2 data sets? "
            "2 points: 2 runs.",
        ),
        (
            [f"a.b={n} a.c={n} a.d={n} optim.lr={n}" for n in (1, 2)],
            "Which combination of optim.lr, a.b, a.c and 1 more option is best for "
            "model=mlp with optim=adam on data=digits? 2 points: 2 runs.",
        ),
    ],
)  # fmt: skip
def test_the_question_is_made_from_what_differs(tmp_path, runs, question):
    for number, overrides in enumerate(runs):
        write_run(tmp_path / str(number), *overrides.split(), ending=held_out(0.9))
    points = group_points(find_runs([tmp_path]))
    assert question_text(points, column_keys(points)) == question


def test_a_report_imports_neither_torch_nor_matplotlib(sweep):
    code = (
        "import sys; from dlcourse.commands.report import main; main(sys.argv[1:]); "
        "assert not {'torch', 'matplotlib', 'hydra'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(sweep)], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": "src"}, cwd=os.path.dirname(__file__) + "/../..",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "report.html" in done.stdout


def test_a_single_run_has_its_best_epoch_marked_and_its_training_part(tmp_path):
    run = trained(tmp_path / "run")
    write_history(run, val_accuracy=[0.5, 0.9, 0.8], train_accuracy=[0.4, 0.8, 2.0])
    path = write_page([run])
    assert "best epoch 3" in Page(path.read_text(encoding="utf-8")).text
    data = re.search(r'type="application/json">(.*?)</script>', path.read_text())[1]
    (chart,) = json.loads(data)["charts"]
    assert chart["lines"][0]["train"][1] == [2, 0.8, "0.8000"]
    assert chart["low"] <= 0.4
    assert chart["high"] >= 2


def test_the_weights_of_a_linear_model_are_next_to_the_true_ones(tmp_path):
    weights = {"terms": ["x1", "x2"], "outputs": ["y"], "w": [[1.5, -2.5]], "b": [0.5]}
    weights["true"] = {"w": [[2.0, -3.0]], "b": [1.0]}
    write_run(tmp_path / "run", ending=held_out(0.9, weights=weights))
    text = page_of(tmp_path / "run").text
    assert "term learned true x1 1.5000 2.0000 x2 -2.5000 -3.0000 bias 0.5000 1.0000" in text


def test_findings_of_the_diagnostics_are_listed(tmp_path):
    run = trained(tmp_path / "run")
    assert "Diagnostics" not in page_of(run).text
    (run / "diagnostics.json").write_text(json.dumps({"findings": ["layer 3: 61 % <dead>"]}))
    assert "Diagnostics layer 3: 61 % <dead>" in page_of(run).text
    (run / "diagnostics.json").write_text("{")
    assert "diagnostics.json cannot be read" in page_of(run).text


def test_the_images_of_folds_are_folded_away(tmp_path):
    write_run(tmp_path / "cv", ending=crossed([0.8, 0.9], [0.7, 0.8]))
    for place in ("cv", "cv/fold0", "cv/fold1"):
        write_image(tmp_path / place / "plots/confusion.png", 100, 80)
    source = write_page([tmp_path / "cv"]).read_text(encoding="utf-8")
    assert source.count('alt="Confusion, ') == 3
    assert "fold1: 1 image<" in source


def test_a_folder_above_a_sweep_has_the_plots_of_the_sweep(sweep):
    for name in ("curves", "heat_map"):
        write_image(sweep / f"{name}.png")
    page = page_of(sweep.parent)
    assert [image["alt"].split(",")[0] for image in page.all("img")] == ["Heat map"]
    assert (
        "![Curves of the sweep sweep](sweep/curves.png)" in (sweep.parent / "report.md").read_text()
    )
