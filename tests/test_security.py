"""Files of a stranger each try to create a file; none can. docs/security.md names these tests."""

import json
import os
import pickle
import re
import shutil
import zipfile
from pathlib import Path

import pytest
import torch
import yaml
from conftest import ROOT

import dlcourse
from dlcourse import atomic_files
from dlcourse.data.cifar_pickle import ForeignPickleError, load_plain
from dlcourse.engine.reopen import folds_of
from dlcourse.errors import UserError
from dlcourse.export.card import SAFETY
from dlcourse.file_digest import DamagedFileError
from dlcourse.runs.links import refuse_links
from dlcourse.runs.start_record import stored_config, stored_overrides

PAGE = ROOT / "docs/security.md"
OVERRIDES = (
    "model=mlp", "model.widths=[4]", "data.examples=60", "max_epochs=1", "runtime=cpu",
    "observe=[history]",
)  # fmt: skip
GROUPS = (
    "model", "data", "loss", "optim", "schedule", "stop", "split", "init", "clip", "average",
    "runtime", "sampler",
)  # fmt: skip


class Code:
    """An object whose pickle makes a folder when it is read by an ordinary unpickler."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self):
        return os.mkdir, (str(self.place),)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stranger") / "run"
    dlcourse.train(*OVERRIDES, folder=folder, quiet=True)
    return folder


@pytest.fixture
def stopped(run, tmp_path, monkeypatch):
    """Return a copy of the run without its result, to be resumed; the current folder is another."""
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run/result.json").unlink()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "run"


def evil_files(folder: Path, mark: Path) -> dict[str, Path]:
    """Write checkpoints that would make the folder ``mark``, in every format that has code."""
    folder.mkdir(exist_ok=True)
    paths = {name: folder / f"{name}.pt" for name in ("new", "legacy", "plain", "zip")}
    torch.save({"model": Code(mark)}, paths["new"])
    torch.save({"model": Code(mark)}, paths["legacy"], _use_new_zipfile_serialization=False)
    paths["plain"].write_bytes(pickle.dumps({"model": Code(mark)}))
    with zipfile.ZipFile(paths["zip"], "w") as file:
        file.writestr("archive/data.pkl", pickle.dumps({"model": Code(mark)}, 2))
        file.writestr("archive/version", "3\n")
        file.writestr("../../evil.py", "raise SystemExit")
    return paths


@pytest.mark.parametrize("kind", ["new", "legacy", "plain", "zip"])
def test_a_checkpoint_runs_no_code(kind, stopped, tmp_path):
    mark = tmp_path / "MADE"
    path = evil_files(tmp_path / "files", mark)[kind]
    with pytest.raises(DamagedFileError):
        atomic_files.load_checked(path)
    for name in ("last.pt", "best.pt", "previous.pt"):
        shutil.copy(path, stopped / "checkpoints" / name)
    with pytest.raises((UserError, DamagedFileError)) as caught:
        dlcourse.train(resume=stopped, quiet=True)
    assert "weights_only" not in str(caught.value)
    with pytest.raises(UserError):
        dlcourse.train(*OVERRIDES, "init=from_file", f"init.file={path}", quiet=True)
    assert not mark.exists()


def test_the_files_of_the_checkpoint_test_do_run_code_in_an_ordinary_unpickler(tmp_path):
    path = evil_files(tmp_path, tmp_path / "MADE")["plain"]
    pickle.loads(path.read_bytes())
    assert (tmp_path / "MADE").is_dir()


def test_the_message_for_a_file_with_code_names_the_code_and_not_a_way_around(tmp_path):
    path = evil_files(tmp_path, tmp_path / "MADE")["new"]
    with pytest.raises(DamagedFileError, match=r"would run \w+\.mkdir, which is code"):
        atomic_files.load_checked(path)


def test_names_of_tensors_are_never_paths(tmp_path, monkeypatch):
    from safetensors.torch import save_file

    monkeypatch.chdir(tmp_path)
    save_file({"../../MADE": torch.zeros(1), "/MADE": torch.zeros(1)}, "w.safetensors")
    with pytest.raises(UserError):
        dlcourse.train(*OVERRIDES, "init=from_file", "init.file=w.safetensors", quiet=True)
    assert [path.name for path in tmp_path.rglob("*MADE*")] == []


def test_a_pickle_of_cifar_runs_no_code(tmp_path):
    content = pickle.dumps({"data": Code(tmp_path / "MADE"), "labels": [0]})
    with pytest.raises(ForeignPickleError):
        load_plain(content)
    assert not (tmp_path / "MADE").exists()


SYSTEM = {"_target_": "os.mkdir", "path": "MADE"}


def evil_configs(config: dict) -> dict[str, dict]:
    """Return configs that each name code outside dlcourse."""
    inside = {group: config | {group: config[group] | {"_target_": "os.mkdir"}} for group in GROUPS}
    mlp = config["model"]
    return {
        **inside,
        "a nested node": config | {"model": mlp | {"x": SYSTEM}},
        "a trust of its own": config | {"model": mlp | {"x": SYSTEM}, "trust": ["os"]},
        "a list": config | {"tags": [SYSTEM]},
        "an observer": config | {"observe": {"a": SYSTEM | {"_partial_": True}}},
        "a walk through imports": config | {"model": mlp | {"_target_": "dlcourse.cli.os.mkdir"}},
        "a reference": config | {"model": mlp | {"_target_": "${oc.env:HOME}"}},
        "a resolver": config | {"note": "${hydra:runtime.cwd}"},
        "hydra's part": config | {"hydra": {"callbacks": {"a": SYSTEM}}},
    }


NAMES = [*GROUPS, "a nested node", "a trust of its own", "a list", "an observer",
         "a walk through imports", "a reference", "a resolver", "hydra's part"]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_runs_config_calls_nothing_outside_dlcourse(name, stopped):
    path = stopped / ".hydra/config.yaml"
    config = evil_configs(yaml.safe_load(path.read_text()))[name]
    path.write_text(yaml.safe_dump(config))
    with pytest.raises(UserError):
        dlcourse.train(resume=stopped, quiet=True)
    assert not any("MADE" in str(path) for path in stopped.parent.rglob("*"))


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.mkdir [MADE]",
        "model: !!python/object/new:os.mkdir [MADE]",
        "a: !!python/name:os.mkdir",
    ],
)
def test_the_tags_of_a_yaml_file_make_no_objects(text, stopped):
    for name in ("config", "overrides", "hydra"):
        (stopped / f".hydra/{name}.yaml").write_text(text)
    for read in (stored_config, stored_overrides):
        with pytest.raises(UserError):
            read(stopped)
    with pytest.raises(UserError):
        dlcourse.train(resume=stopped, quiet=True)
    assert not Path("MADE").exists()


@pytest.mark.parametrize(
    "override",
    [
        "+model.x={_target_: os.mkdir, path: MADE}", "hydra.searchpath=[file:///tmp]",
        "hydra/job_logging=evil", "--config-dir=evil", "note=${hydra:runtime.cwd}",
        "hydra.job_logging.handlers.x={(): os.mkdir, path: MADE}",
    ],
)  # fmt: skip
def test_a_runs_overrides_run_no_code(override, stopped):
    (stopped / ".hydra/overrides.yaml").write_text(yaml.safe_dump([*OVERRIDES, override]))
    with pytest.raises(UserError):
        dlcourse.train(resume=stopped, max_epochs=2, quiet=True)
    assert not Path("MADE").exists()


def test_hydras_stored_part_sets_up_nothing(stopped):
    own = yaml.safe_load((stopped / ".hydra/hydra.yaml").read_text())
    handler = {"()": "os.mkdir", "path": "MADE"}
    own["hydra"]["job_logging"] = {"version": 1, "handlers": {"a": handler}}
    own["hydra"]["callbacks"] = {"a": SYSTEM}
    own["hydra"]["run"] = {"dir": "${oc.env:HOME}/MADE"}
    (stopped / ".hydra/hydra.yaml").write_text(yaml.safe_dump(own))
    dlcourse.train(resume=stopped, quiet=True)
    assert not Path("MADE").exists()


@pytest.mark.parametrize(
    "name", ["train.log", "history.jsonl", "result.json", ".hydra/lock", "checkpoints"]
)
def test_nothing_is_written_through_a_link_of_a_runs_folder(name, stopped, tmp_path):
    outside = tmp_path / "outside"
    path = stopped / name
    if path.is_dir():
        shutil.copytree(path, outside)
        shutil.rmtree(path)
    else:
        outside.write_text("mine")
        path.unlink(missing_ok=True)
    path.symlink_to(outside)
    before = sorted((one, one.stat().st_mtime_ns) for one in [outside, *outside.rglob("*")])
    with pytest.raises(UserError, match="is a link to"):
        dlcourse.train(resume=stopped, quiet=True)
    assert before == sorted((one, one.stat().st_mtime_ns) for one in [outside, *outside.rglob("*")])


def test_a_link_inside_the_folder_is_allowed(tmp_path):
    (tmp_path / "a").write_text("x")
    (tmp_path / "b").symlink_to("a")
    (tmp_path / "wandb/run-1").mkdir(parents=True)
    (tmp_path / "wandb/run-1/debug.log").symlink_to("/tmp")  # as wandb links its own log
    refuse_links(tmp_path)
    (tmp_path / "wandb/run-2").symlink_to("/tmp")
    with pytest.raises(UserError, match="is a link to"):
        refuse_links(tmp_path)


@pytest.mark.parametrize("name", ["../../elsewhere", "/tmp", ".."])
def test_a_result_names_no_folder_outside_the_run(name, run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    result = json.loads((run / "result.json").read_text())
    result |= {"folds": [result | {"name": name}]}
    (tmp_path / "run/result.json").write_text(json.dumps(result))
    with pytest.raises(UserError, match=re.escape(name)):
        folds_of(tmp_path / "run")


def manifest_of(folder: Path, **changes) -> Path:
    """Write a sweep's manifest with some changes."""
    content = {
        "words": [*OVERRIDES, "seed=0,1"], "config_dir": None, "identity": "x", "method": "grid",
        "keys": ["seed"], "monitor": "val/accuracy", "mode": "max", "threads": 1, "points": [],
        "streams": 2, "defaults": 3,
    }  # fmt: skip
    folder.mkdir()
    (folder / "sweep.json").write_text(json.dumps(content | changes))
    return folder


@pytest.mark.parametrize(
    "changes",
    [
        {"words": [*OVERRIDES, "seed=0,1", "+model.x={_target_: os.mkdir, path: MADE}"]},
        {"words": [*OVERRIDES, "seed=0,1", "+model.x={_target_: os.mkdir, path: MADE}",
                   "trust=[os]"]},
        {"config_dir": "sweep/c"},
        {"words": ["hydra.searchpath=[file://sweep/c]", "seed=0,1"]},
        {"words": ["--config-dir=sweep/c", "seed=0,1"]},
        {"words": ["seed=0,1", "sweep.storage=sqlite:///MADE"]},
        {"words": ["seed=0,1", "hydra.launcher.setup=[touch MADE]"]},
        {"points": [{"number": 0, "words": [], "values": {}, "jobs": ["../../MADE"]}]},
    ],
)  # fmt: skip
def test_a_sweeps_folder_runs_no_code_and_leaves_no_file_elsewhere(changes, here, tmp_path):
    folder = manifest_of(tmp_path / "sweep", **changes)
    (folder / "c/model").mkdir(parents=True)
    own = {"_target_": "os.mkdir", "_partial_": True, "path": "MADE"}
    (folder / "c/model/mlp.yaml").write_text(yaml.safe_dump(own))
    ended = here("resume=sweep")
    assert ended.returncode == 2
    assert not list(tmp_path.rglob("*MADE*"))


def test_an_exported_folder_calls_nothing_outside_dlcourse(run, tmp_path):
    folder = dlcourse.load(run).export("state_dict", to=tmp_path / "export")
    path = folder / "model.json"
    facts = json.loads(path.read_text())
    facts["config"]["model"]["x"] = {"_target_": "os.mkdir", "path": str(tmp_path / "MADE")}
    path.write_text(json.dumps(facts))
    with pytest.raises(UserError, match=r"os\.mkdir"):
        dlcourse.load(folder).predict(torch.zeros(1, 1, 28, 28, dtype=torch.uint8))
    assert not (tmp_path / "MADE").exists()


def test_a_run_to_start_from_runs_no_code(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    shutil.copy(
        evil_files(tmp_path / "files", tmp_path / "MADE")["new"],
        tmp_path / "run/checkpoints/best.pt",
    )
    with pytest.raises((UserError, DamagedFileError)):
        dlcourse.train(
            *OVERRIDES, "init=from_run", f"init.run={tmp_path / 'run'}",
            folder=tmp_path / "new", quiet=True,
        )  # fmt: skip
    assert not (tmp_path / "MADE").exists()


def test_names_of_others_are_escaped_in_pages(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    script = "<script>alert(1)</script>"
    result = json.loads((run / "result.json").read_text())
    result |= {"classes": [script] * 10, "note": script, "tags": [script], "data": script}
    (tmp_path / "run/result.json").write_text(json.dumps(result))
    page = dlcourse.load(tmp_path / "run").report()
    text = (tmp_path / "run/report.html").read_text()
    assert script not in text
    assert script not in page._repr_html_()
    assert script not in dlcourse.load(tmp_path / "run")._repr_html_()


def test_a_typed_config_folder_may_call_any_code(tmp_path, monkeypatch):
    (tmp_path / "c/model").mkdir(parents=True)
    (tmp_path / "c/model/own.yaml").write_text("_target_: makes_a_folder.net\n_partial_: true\n")
    code = f"import os\nos.mkdir({str(tmp_path / 'MADE')!r})\ndef net(*a): raise ValueError(1)\n"
    (tmp_path / "makes_a_folder.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(Exception, match=r"."):
        dlcourse.train(*OVERRIDES[2:], "model=own", config_dir=tmp_path / "c", quiet=True)
    assert (tmp_path / "MADE").exists()


def test_the_readme_of_an_exported_program_says_that_it_can_run_code():
    for name in ("torch_export", "torchscript"):
        assert "can run code of its author" in SAFETY[name]


UNSAFE = re.compile(
    r"\b(pickle\.loads?|pickle\.Unpickler|torch\.jit\.load|torch\.export\.load|joblib\.load"
    r"|yaml\.(?:unsafe_load|full_load|load)|(?<![\w.])eval|(?<![\w.])exec)\("
    r"|allow_pickle=True|weights_only=False|shell=True|os\.system\("
)
ALLOWED = {
    "schema/packaged.py": "YAML with a safe loader",
    "schema/hydra_api.py": "a docstring or a name of Hydra's",
    "runs/yaml_blocks.py": "YAML with a safe loader",
    "data/cifar_pickle.py": "an unpickler that makes arrays and nothing else",
    "export/snippets.py": "text of the README of an exported model",
    "export/card.py": "text of the README of an exported model",
    "export/to_torch_export.py": "a program; docs/security.md: not safe",
    "export/to_torchscript.py": "a program; docs/security.md: not safe",
}
"""Files that may hold one of these words, and why."""


def test_only_named_places_read_code_from_files():
    source = ROOT / "src/dlcourse"
    found = {}
    for path in source.rglob("*.py"):
        lines = [line for line in path.read_text().splitlines() if UNSAFE.search(line)]
        if lines:
            found[str(path.relative_to(source))] = lines
    assert found.keys() <= ALLOWED.keys(), found
    calls = [
        (path.name, text)
        for path in source.rglob("*.py")
        for text in re.findall(r"torch\.load\(([^\n]*)", path.read_text())
        if "weights_only=True" not in text
    ]
    assert calls == []


def test_every_promise_of_the_page_names_an_existing_test():
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    promises = [line for line in lines if line.startswith("- ")]
    assert len(promises) > 20
    sources = {
        path: path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")
    }
    for line in promises:
        named = re.findall(r"<!-- (\S+)::(test_\w+) -->", line)
        assert named, f"no test is named for: {line}"
        for file, test in named:
            assert f"def {test}(" in sources[ROOT / "tests" / file], line
