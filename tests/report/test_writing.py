"""The printed report and the files that it writes."""

import csv
import json
import subprocess
import sys

import pytest
from run_folders import held_out, write_run, write_sweep

from dlcourse.errors import UserError
from dlcourse.report.write_report import write_report


def report(*folders, **options):
    """Write a report into the first folder; return the printed text."""
    printed = []
    write_report(list(folders), folders[0], say=printed.append, **options)
    return "\n".join(printed)


def lines_of(path):
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


@pytest.fixture
def sweep(tmp_path):
    """Return a sweep with two seeds a point; one job failed, one is pruned, one never started."""
    folder = tmp_path / "my sweep, the first"
    rates = ["0.1", "0.01", "0.001", "0.5"]
    points = [{"values": {"optim.lr": r}, "jobs": [f"{r}-{s}" for s in (0, 1)]} for r in rates]
    write_sweep(folder, ["optim.lr"], [*points, points[0]])
    for rate, seed, val in ((0.1, 0, 0.9), (0.1, 1, 0.8), (0.01, 0, 0.95), (0.001, 0, 0.7)):
        overrides = [f"optim.lr={rate}", f"seed={seed}"]
        write_run(folder / f"{rate}-{seed}", *overrides, ending=held_out(val, val / 2))
    failure = {"reason": "it\nbroke", "status": 9, "attempts": 3, "log": "output.txt"}
    write_run(folder / "0.01-1", "optim.lr=0.01", "seed=1", ending=failure, name="failure.json")
    pruned = {"epoch": 4, "value": 0.12345}
    write_run(folder / "0.001-1", "optim.lr=0.001", "seed=1", ending=pruned, name="pruned.json")
    return folder


def test_results_csv_has_every_point_with_all_digits(sweep):
    report(sweep)
    rows = lines_of(sweep / "results.csv")
    assert [row["optim.lr"] for row in rows] == ["0.1", "0.1", "0.01", "0.001", "0.5"]
    assert [row["rank"] for row in rows] == ["1", "2", "", "", ""]
    assert [row["status"] for row in rows] == ["done", "done", "1 of 2", "1 of 2", "not started"]
    assert float(rows[0]["mean"]) == (0.9 + 0.8) / 2
    assert float(rows[0]["test_mean"]) == pytest.approx(0.425)
    assert float(rows[0]["std"]) == pytest.approx(0.005**0.5)
    assert rows[0]["folder"] == "0.1-0; 0.1-1"
    assert rows[2]["reason"].startswith("it broke (status 9, 3 attempts); see ")


def test_the_printed_report_names_failed_pruned_and_missing_runs(sweep):
    text = report(sweep)
    assert f"failed: {sweep / '0.01-1'}: it broke (status 9, 3 attempts); see" in text
    assert "output.txt" in text
    assert "0.001-1 after epoch 4 at 0.1235" in text
    assert f"not started: {sweep / '0.5-0'}" in text
    assert "1 of 2" in text
    assert "0.8500 ± 0.0707" in text
    assert max(len(line) for line in text.splitlines() if line[:1] in "┏│└") <= 160


def test_markdown_is_a_table_with_aligned_pipes(sweep):
    report(sweep)
    table = [line for line in (sweep / "results.md").read_text().splitlines() if line[:1] == "|"]
    assert len(table) == 6
    assert len({tuple(i for i, c in enumerate(line) if c == "|") for line in table}) == 1
    assert "val/accuracy ± sd" in table[0]


def test_the_latex_table_is_escaped_and_its_rows_have_the_same_number_of_cells(tmp_path):
    for name, val in (("a_b&c", 0.9), ("50%", 0.8), ("x#{y}", 0.7)):
        overrides = [f"model.name={name}"]
        write_run(tmp_path / name, *overrides, ending=held_out(val, val))
    report(tmp_path)
    text = (tmp_path / "results.tex").read_text()
    assert r"a\_b\&c" in text
    assert r"50\%" in text
    assert r"x\#\{y\}" in text
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {row.replace(r"\&", "").count("&") for row in rows} == {5}
    assert r"\begin{tabular}{rlrrrr}" in text
    assert [r"\textbf" in row for row in rows] == [False, True, False, False]


def test_lists_null_and_commas_are_written_as_they_are_typed(tmp_path):
    for number, value in enumerate(("[16,32]", "null", "true", "a,b|c")):
        overrides = [f"model.widths={value}"]
        write_run(tmp_path / str(number), *overrides, ending=held_out(0.9 - number / 10))
    text = report(tmp_path)
    assert "[16, 32]" in text
    values = [row["model.widths"] for row in lines_of(tmp_path / "results.csv")]
    assert values == ["[16, 32]", "null", "true", "a,b|c"]
    assert r"a,b\|c" in (tmp_path / "results.md").read_text()


def test_the_first_forty_points_are_printed_and_results_csv_has_all(tmp_path):
    for number in range(45):
        overrides = [f"optim.lr={number + 1}"]
        write_run(tmp_path / str(number), *overrides, ending=held_out(number / 100))
    text = report(tmp_path)
    assert "5 more are in results.csv." in text
    assert len(lines_of(tmp_path / "results.csv")) == 45
    assert "│   41 │" not in text


def test_values_that_are_not_finite_are_reported_and_ranked(tmp_path):
    for number, value in enumerate((float("nan"), float("inf"), 0.5)):
        overrides = [f"optim.lr={number + 1}"]
        write_run(tmp_path / str(number), *overrides, ending=held_out(value, value))
    text = report(tmp_path)
    assert [word for word in ("nan", "inf", "0.5") if word not in text] == []
    rows = lines_of(tmp_path / "results.csv")
    assert [row["mean"] for row in rows] == ["0.5", "", "inf"]


def test_several_folders_are_one_table(tmp_path):
    for name in ("a", "b"):
        write_run(tmp_path / name / "run", f"model={name}", ending=held_out(0.9))
    report(tmp_path / "a", tmp_path / "b")
    assert len(lines_of(tmp_path / "a/results.csv")) == 2
    assert not (tmp_path / "b/results.csv").exists()


def test_a_folder_without_a_finished_run_gets_one_message(tmp_path):
    write_run(tmp_path / "a")
    with pytest.raises(UserError, match="is not finished: it has no result"):
        report(tmp_path)
    assert not (tmp_path / "results.csv").exists()


def test_a_file_that_is_not_part_of_a_report_is_not_overwritten(tmp_path):
    write_run(tmp_path / "runs/a", ending=held_out(0.9))
    (tmp_path / "results.md").write_text("mine")
    with pytest.raises(UserError, match=r"results\.md is already there"):
        write_report([tmp_path / "runs"], tmp_path, say=lambda text: None)
    assert (tmp_path / "results.md").read_text() == "mine"
    assert not (tmp_path / "results.csv").exists()


def test_a_half_written_table_is_written_again(sweep):
    report(sweep)
    table = sweep / "results.csv"
    whole = table.read_bytes()
    table.write_bytes(whole[: len(whole) // 2])
    report(sweep)
    assert table.read_bytes() == whole


def test_a_report_is_the_same_every_time(sweep):
    report(sweep, importances={"optim.lr": 1.0})
    before = {path.name: path.read_bytes() for path in sweep.glob("*.*") if path.is_file()}
    report(sweep, importances={"optim.lr": 1.0})
    assert before == {path.name: path.read_bytes() for path in sweep.glob("*.*") if path.is_file()}
    assert {"main_effects.png", "learning_rate.png", "importances.svg"} <= before.keys()
    assert json.loads(before["sweep.json"])["keys"] == ["optim.lr"]


def test_importing_the_report_imports_nothing_heavy():
    code = (
        "import sys, dlcourse.report.write_report as w;"
        "print({'torch', 'numpy', 'scipy', 'matplotlib', 'hydra'} & set(sys.modules))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ended.stdout.strip() == "set()", ended.stderr


def mixed(folder):
    """Write runs of two models that have few options in common, with long values."""
    for seed in range(2):
        write_run(
            folder / f"a{seed}", "model=mlp", "model.widths=[512,256,128]", "model.dropout=0.5",
            "optim.momentum=0.9", f"seed={seed}", ending=held_out(0.9, 0.8),
        )  # fmt: skip
        write_run(
            folder / f"b{seed}", "model=vit", "model.depth=12", "model.heads=8", "optim=adamw",
            "optim.weight_decay=0.05", "average.decay=0.999", f"seed={seed}",
            ending=held_out(0.8, 0.7),
        )  # fmt: skip
    return folder


@pytest.mark.parametrize("width", [60, 80, 120, 160])
def test_the_ranking_fits_every_terminal_and_has_every_option(tmp_path, monkeypatch, width):
    monkeypatch.setattr("dlcourse.report.console_table.terminal_width", lambda: width)
    text = report(mixed(tmp_path / "runs"))
    table = text.split("The best by")[0]
    assert max(map(len, table.splitlines())) <= width
    for part in ("512", "model.heads=8", "average.decay=0.999", "0.9000", "0.7000"):
        assert part in "".join(table.split()) or part in table
    columns = lines_of(tmp_path / "runs/results.csv")[0].keys()
    assert {"model.widths", "model.heads", "average.decay", "seconds"} <= columns


def test_a_narrow_terminal_still_has_a_table_of_a_small_sweep(sweep, monkeypatch):
    monkeypatch.setattr("dlcourse.report.console_table.terminal_width", lambda: 80)
    text = report(sweep)
    assert "n, epochs, seconds: see results.csv" in text
    assert "rank  optim.lr" in text


AWKWARD = ["$_$", "_a_", "a|b", "`c`", "*d*", "<b>", "[e](f)", "g--h", "&amp;", "[red]x"]


def test_special_characters_are_shown_unchanged_in_every_table(tmp_path):
    for number, value in enumerate(AWKWARD):
        write_run(
            tmp_path / str(number), f"data.file={json.dumps(value)}", ending=held_out(number / 20)
        )
    text = report(tmp_path)
    assert all(value in text for value in AWKWARD)
    assert {row["data.file"] for row in lines_of(tmp_path / "results.csv")} == set(AWKWARD)
    rows = (tmp_path / "results.md").read_text()
    escaped = (r"\$\_\$", r"\_a\_", r"a\|b", r"\`c\`", r"\*d\*", r"\<b\>", r"[e\](f)", r"\&amp;")
    for shown in escaped:
        assert f" {shown} " in rows
    assert "g-{}-h" in (tmp_path / "results.tex").read_text()
    assert (tmp_path / "main_effects.png").exists()


@pytest.mark.parametrize(
    ("broken", "part", "written"),
    [
        ("dlcourse.report.write_report.console_table", "The table on the screen", "results.csv"),
        ("dlcourse.report.write_report.latex_table", "results.tex", "results.md"),
        ("dlcourse.report.plots.all_plots.draw_main_effects", "main_effects", "results.csv"),
        ("dlcourse.report.plots.all_plots.draw_heat_map", "The plot heat_map", "main_effects.png"),
    ],
)
def test_a_part_that_fails_is_left_out_with_one_warning(
    tmp_path, monkeypatch, caplog, broken, part, written
):
    def fail(*arguments):
        raise ValueError("it broke")

    for number, rate in enumerate((0.1, 0.01)):
        write_run(tmp_path / str(number), f"optim.lr={rate}", ending=held_out(number / 2))
    monkeypatch.setattr(broken, fail)
    report(tmp_path)
    warnings = [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]
    assert len(warnings) == 1
    assert part in warnings[0]
    assert "it broke" in warnings[0]
    assert (tmp_path / written).exists()
