"""The command line: a wrong command gets one message, a right one trains and writes a folder."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import filelock
import pytest
import yaml
from conftest import ROOT, command_in

from dlcourse.atomic_files import load_checked, save_checked

TINY = ["data.examples=60", "max_epochs=1", "model=mlp"]
FAST = [*TINY, "observe=[history]"]
WRONG = [  # the command line, and what the message must name
    (["modle=lenet"], ["modle", "model"]),
    (["model=lenett"], ["model=lenett", "did you mean lenet", "resnet18"]),
    (["model.activation=rellu"], ["model.activation=rellu", "did you mean relu", "selu"]),
    (["optim.lrr=0.1"], ["optim.lrr", "optim.lr"]),
    (["optim.lr=abc"], ["optim.lr=abc", "a number above 0", "optim.lr=0.001"]),
    (["optim.lr=nan"], ["optim.lr=nan", "a number above 0"]),
    (["optim.lr=0"], ["optim.lr=0", "above 0"]),
    (["optim.betas=[0.9]"], ["optim.betas", "a list of 2 numbers"]),
    (["batch_size=1.5"], ["batch_size=1.5", "a whole number"]),
    (["batch_size=true"], ["batch_size=True", "a whole number", "full"]),
    (["seed=-1"], ["seed=-1", "at least 0"]),
    (["stop.patience=0"], ["stop.patience=0", "at least 1"]),
    (["split.fraction=1"], ["split.fraction=1", "below 1"]),
    (["split=kfold", "split.folds=1"], ["split.folds=1", "at least 2"]),
    (["split=kfold", "split.folds=2000"], ["split.folds=2000", "1437"]),
    (["model.dropout=1.0"], ["model.dropout=1.0", "below 1"]),
    (["optim=nesterov", "optim.momentum=0"], ["nesterov", "optim.momentum=0.9"]),
    (["optim=gd", "batch_size=32"], ["optim=gd", "batch_size=full"]),
    (["split.fraction=0"], ["split.fraction=0", "stop=never"]),
    (["split.fraction=0", "monitor=train/loss", "mode=min"], ["stop=patience", "stop=never"]),
    (["data=sine", "loss=hinge"], ["loss=hinge", "loss=mse"]),
    (["data=sine", "metric=[accuracy]"], ["metric=accuracy", "rmse"]),
    (["metric=[accuracy,r2]"], ["metric=r2", "accuracy"]),
    (["data=sine", "split=stratified_kfold"], ["stratified_kfold", "split=kfold"]),
    (["data=moons", "model=lenet"], ["LeNet5", "model=mlp"]),
    (["data.size=8"], ["data.size=8", "data.size=28"]),
    (["data=moons", "augment=[flip]"], ["augment=flip", "augment=[noise]"]),
    (["monitor=val/acc"], ["val/acc", "did you mean val/accuracy"]),
    (["monitor=val/loss"], ["mode=max", "mode=min"]),
    (["schedule.warmup=50"], ["schedule.warmup=50", "max_epochs=50"]),
    (["model.norm=batch", "batch_size=1"], ["batch_size=1", "model.norm=layer"]),
    (["model=mlp", "model.norm=instance"], ["instance", "model.norm=layer"]),
    (["runtime=cpu", "runtime.precision=fp16"], ["fp16", "bf16"]),
    (["runtime.device=gpu"], ["runtime.device=gpu", "cuda"]),
    (["data.examples=5"], ["data.examples=5", "10"]),
    (["data=image_folder", "data.root=no/such"], ["no/such", "data.root"]),
    (["resume=no/such"], ["no/such", "resume="]),
    (["augment=[flipp]"], ["augment=flipp", "did you mean flip"]),
    (["experiment=lenet_mnits"], ["lenet_mnits", "lenet_mnist"]),
    (["+foo=1"], ["foo", "model"]),
    (["~optim"], ["optim"]),
    (["optim=[adam"], ["optim=[adam", "key=value"]),
    (["trust=5"], ["trust=5", "a list"]),
    (["resume=3"], ["resume=3", "a text"]),
    (["optim=null"], ["optim=null"]),
    (["=3"], ["=3"]),
    (["lenet"], ["lenet", "key=value"]),
    (["model=[lenet,mlp]"], ["model", "exactly one choice", "linear"]),
    (["optim.betas.x=1"], ["optim.betas.x=1"]),
    (["optim.lr=0.1,0.2"], ["optim.lr=0.1,0.2"]),
    (["optim.lr=${oc.env:NO_SUCH}"], ["NO_SUCH", "optim.lr"]),
    (["model=mlp", "model.pool=max"], ["model.pool", "model.norm"]),
    (["hydra/launcher=joblib"], ["hydra/launcher=joblib", "hydra-joblib-launcher"]),
    (["hydra.run.dir=/proc/no/such"], ["/proc/no/such", "hydra.run.dir"]),
    (["--config-dir", "no/such"], ["no/such", "--config-dir"]),
    (["--config-name", "other"], ["--config-name", "--config-dir"]),
    (["-m", "model=mlp,lenet", "optim.lr=0.1,-1"], ["optim.lr=-1", "nothing was started"]),
    (["-m", "model=mlp,lenett"], ["model=lenett", "did you mean lenet"]),
    (["-m", "optim=adam,sgd", "resume=x"], ["resume", "-m"]),
    (["experiment=optimizers_on_digits"], ["-m experiment=optimizers_on_digits"]),
    (["-m", "optim=adam,sgd", "--cfg", "job"], ["check=true"]),
    (["workers=2"], ["workers=2 is for a sweep"]),
    (["-m", "hydra/sweeper=basic", "model=mlp", "optim.lr=0.1,-1"], ["optim.lr=-1"]),
]


EACH_IN_A_FORK = """
import json, os, sys
from pathlib import Path

cases, clone = json.load(sys.stdin)
sys.path.insert(0, clone)
import train  # what `python train.py` imports, without PyTorch

top = Path.cwd()
for number, arguments in enumerate(cases):
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        continue
    (top / str(number)).mkdir()
    os.chdir(top / str(number))
    for stream, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(top / f"{number}.{name}", os.O_CREAT | os.O_WRONLY), stream)
    sys.argv = ["train.py", *arguments]
    status = 0
    try:
        train.main()
    except SystemExit as ended:
        status = ended.code
    sys.stdout.flush(), sys.stderr.flush()
    (top / f"{number}.json").write_text(json.dumps([status, sorted(sys.modules)]))
    os._exit(0)
"""
"""Runs every command in a fork of a process that has imported the command line."""


@pytest.fixture(scope="module")
def wrong_commands(tmp_path_factory, data_root):
    """Return a folder in which every wrong command was typed, each in a folder of its own."""
    folder = tmp_path_factory.mktemp("wrong")
    cases = json.dumps([[arguments for arguments, _ in WRONG], str(ROOT)])
    subprocess.run(
        [sys.executable, "-c", EACH_IN_A_FORK], input=cases, cwd=folder, text=True, check=True,
        env={**os.environ, "DLCOURSE_DATA": str(data_root)}, timeout=120,
    )  # fmt: skip
    return folder


@pytest.mark.parametrize("number", range(len(WRONG)), ids=lambda n: " ".join(WRONG[n][0]))
def test_a_wrong_command_gets_one_message_before_torch_is_imported(number, wrong_commands):
    status, imported = json.loads((wrong_commands / f"{number}.json").read_text())
    message = (wrong_commands / f"{number}.err").read_text()
    assert status == 2, message
    assert message.startswith("dlcourse: ")
    assert "Traceback" not in message
    assert len(message.splitlines()) <= 5
    for part in WRONG[number][1]:
        assert part in message
    assert "hydra" in imported
    assert not set(imported) & {"torch", "numpy", "sklearn"}
    assert list((wrong_commands / str(number)).iterdir()) == []


def test_the_process_of_a_wrong_command_could_import_torch(command):
    """The control: a right command imports what a wrong one must not."""
    ended = command(*FAST, PYTHONPROFILEIMPORTTIME="1")
    imported = {line.split("|")[-1].strip() for line in ended.stderr.splitlines()}
    assert {"torch", "numpy"} <= imported


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["+optim.speed=1"], ["torch.optim.Adam", "'speed'", "lr"]),
        (["model._target_=no_such.Model"], ["no_such.Model", "_target_"]),
        (["split=stratified_kfold", "split.folds=200"], ["split.folds=200", "smallest class"]),
        (["runtime.precision=fp16", "runtime.device=auto"], ["fp16", "bf16"]),
        (["data=mnist", "data.download=false", "data.root=nowhere"], ["MNIST", "data.root"]),
    ],
    ids=lambda part: " ".join(part),
)
def test_an_error_found_only_with_torch_gets_a_short_message_too(arguments, named, here, tmp_path):
    import torch

    if torch.cuda.is_available() and "runtime.device=auto" in arguments:
        pytest.skip("fp16 is right where there is a GPU")
    ended = here(*arguments)
    assert ended.returncode == 2, ended.stdout + ended.stderr
    assert ended.stderr.startswith("dlcourse: ")
    assert "Traceback" not in ended.stderr
    for part in named:
        assert part in ended.stderr
    assert not list(tmp_path.glob("outputs/*/*")), "a run that never started has left a folder"


def test_a_missing_gpu_is_named_in_the_message(here):
    import torch

    ended = here("runtime.device=cuda:99", *FAST)
    assert ended.returncode == 2
    count = torch.cuda.device_count()
    assert f"cuda:99 does not exist: this machine has {count} CUDA devices" in ended.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["--cfg", "job"], ["--info", "searchpath"]])
def test_help_and_config_are_shown_without_torch(arguments, command, tmp_path):
    ended = command(*arguments, PYTHONPROFILEIMPORTTIME="1")
    assert ended.returncode == 0
    assert "lenet" in ended.stdout or "configs" in ended.stdout
    assert not [line for line in ended.stderr.splitlines() if line.endswith(" torch")]
    assert list(tmp_path.iterdir()) == []


def the_run(folder: Path) -> Path:
    (run,) = folder.glob("outputs/2*/*")
    return run


@pytest.fixture(scope="module")
def made_once(tmp_path_factory, data_root) -> Path:
    """Return the folder of a finished run; each test works on its own copy."""
    folder = tmp_path_factory.mktemp("made")
    command_in(folder, data_root, *FAST, "hydra.run.dir=here").check_returncode()
    return folder / "here"


@pytest.fixture
def finished(made_once, tmp_path) -> Path:
    """Return a copy of a finished run's folder, called ``here``."""
    return shutil.copytree(made_once, tmp_path / "here")


@pytest.fixture
def unfinished(finished) -> Path:
    """Return the folder of a run that has trained but not yet written its result."""
    (finished / "result.json").unlink()
    return finished


def test_a_run_writes_its_config_history_result_and_checkpoints(here, tmp_path):
    ended = here(*TINY, "max_epochs=2", "optim=sgd", "optim.lr=0.05")
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    for text in ("epoch 1/2", "examples/s", "s left"):  # plain lines: there is no terminal
        assert text in ended.stdout
    assert "\x1b" not in ended.stdout
    run = the_run(tmp_path)
    assert str(run.relative_to(tmp_path)) in ended.stdout
    assert run.name.endswith("mlp_digits_sgd")
    files = [
        ".hydra/config.yaml",
        ".hydra/overrides.yaml",
        ".hydra/hydra.yaml",
        "history.jsonl",
        "result.json",
        "checkpoints/last.pt",
        "checkpoints/best.pt",
        "train.log",
    ]
    assert all((run / name).stat().st_size > 0 for name in files)
    assert list(run.glob("events*"))
    config = yaml.safe_load((run / ".hydra/config.yaml").read_text())
    assert config["optim"]["lr"] == 0.05
    assert "${" not in (run / ".hydra/config.yaml").read_text()
    lines = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2]
    names = ["train/loss", "val/loss", "val/accuracy", "lr", "seconds", "examples_per_second"]
    assert set(names) <= set(lines[0])
    result = json.loads((run / "result.json").read_text())
    assert result["best"] == max(line["val/accuracy"] for line in lines)
    assert result["val"]["accuracy"] == result["best"]
    assert {"loss", "accuracy", "precision", "recall", "f1"} == set(result["test"])
    assert sum(map(sum, result["confusion"])) == result["examples"]["test"] == 360
    assert result["parameters"] == 784 * 128 + 128 + 128 * 10 + 10
    assert result["options"]["optim"] == "sgd"
    assert result["options"]["optim.lr"] == 0.05
    assert "epoch 1/2" in (run / "train.log").read_text()


def test_two_runs_never_share_a_folder(here, finished):
    before = (finished / "result.json").read_bytes()
    again = here(*FAST, "hydra.run.dir=here", "seed=1")
    assert again.returncode == 2
    assert "resume=here" in again.stderr
    assert (finished / "result.json").read_bytes() == before


@pytest.mark.parametrize("name", ["a b é=1,2", "it's [x] $y"])
def test_a_run_folder_may_have_any_name(name, here, tmp_path):
    from dlcourse.schema.overrides import quoted

    folder = tmp_path / name
    arguments = [*FAST, f"hydra.run.dir={quoted(str(folder))}"]
    ended = here(*arguments)
    assert ended.returncode == 0, ended.stderr
    assert (folder / "result.json").exists()
    again = here(f"resume={quoted(str(folder))}")
    assert again.returncode == 0, again.stderr


def test_resuming_a_finished_run_returns_without_importing_torch(command, finished):
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*")}
    ended = command("resume=here", PYTHONPROFILEIMPORTTIME="1")
    assert ended.returncode == 0
    assert "here" in ended.stdout
    assert not [line for line in ended.stderr.splitlines() if line.endswith(" torch")]
    assert {path: path.stat().st_mtime_ns for path in finished.rglob("*")} == before


@pytest.mark.usefixtures("finished")
def test_a_resume_with_changed_options_is_refused_and_names_them(here):
    ended = here("resume=here", "optim.lr=0.5", "model.dropout=0.25")
    assert ended.returncode == 2
    assert "optim.lr: 0.001 -> 0.5" in ended.stderr
    assert "model.dropout: 0.0 -> 0.25" in ended.stderr
    assert "data.root" not in ended.stderr
    same = here("resume=here", *TINY, "observe=[history,console]")
    assert same.returncode == 0, same.stderr


def test_a_stored_config_may_call_only_dlcourse_and_trusted_modules(here, unfinished):
    path = unfinished / ".hydra/config.yaml"
    whole = path.read_text()
    for target in (
        "os.system",
        "dlcourse.data.cache.log.manager",
        "dlcourse.atomic_files.write_text",
    ):
        path.write_text(whole.replace("dlcourse.model.mlp.MLP", target))
        ended = here("resume=here")
        assert ended.returncode == 2, target
        assert target in ended.stderr
        assert "Traceback" not in ended.stderr
    path.write_text(whole + "widths: [{_target_: os.system, command: echo}]\n")
    assert "os.system" in here("resume=here").stderr
    path.write_text(whole.replace("seed: 0", "seed: ${oc.env:HOME}"))
    assert here("resume=here").returncode == 2


def test_a_run_of_an_older_dlcourse_resumes(here, unfinished):
    path = unfinished / ".hydra/config.yaml"
    config = yaml.safe_load(path.read_text())
    del config["view"], config["runtime"]["linear"], config["optim"]["decays"]
    path.write_text(yaml.safe_dump(config))
    last = unfinished / "checkpoints/last.pt"
    content = load_checked(last)
    del content["origin"]
    save_checked(last, content)
    ended = here("resume=here")
    assert ended.returncode == 0, ended.stderr
    assert (unfinished / "result.json").exists()


def own_model(folder: Path) -> None:
    (folder / "my_configs/model").mkdir(parents=True)
    (folder / "my_configs/model/wide.yaml").write_text(
        "# a net of my own\n_target_: my_model.Wide\n_partial_: true\nunits: 32\n"
    )
    (folder / "my_model.py").write_text(
        "import math\nfrom torch import nn\n\n\nclass Wide(nn.Sequential):\n"
        "    def __init__(self, input_shape, output_size, *, units):\n"
        "        super().__init__(nn.Flatten(), nn.Linear(math.prod(input_shape), units),\n"
        "                         nn.ReLU(), nn.Linear(units, output_size))\n"
    )


def test_a_users_own_model_trains_without_changes_to_dlcourse(here, command, tmp_path, monkeypatch):
    own_model(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    arguments = ["--config-dir", "my_configs", "model=wide", "data.examples=60", "max_epochs=2"]
    arguments.append("observe=[history]")
    ended = here(*arguments, "hydra.run.dir=here", "model.units=16")
    assert ended.returncode == 0, ended.stderr
    result = json.loads((tmp_path / "here/result.json").read_text())
    assert result["parameters"] == 784 * 16 + 16 + 160 + 10
    (tmp_path / "here/result.json").unlink()
    refused = here("resume=here")
    assert refused.returncode == 2
    assert "trust=[my_model]" in refused.stderr
    assert here("resume=here", "trust=[my_model]").returncode == 0
    evaluate = command("run=here", "trust=my_model", script="scripts/evaluate.py")
    assert f"test/accuracy {result['test']['accuracy']}" in evaluate.stdout
    wrong = here(*arguments[:2], "model=wyde", "data.examples=60")
    assert "did you mean wide" in wrong.stderr


def test_hydras_basic_sweeper_still_works(command, tmp_path):
    arguments = ["model=mlp,linear", "optim=sgd", "data.examples=60", "max_epochs=1"]
    ended = command("-m", "hydra/sweeper=basic", *arguments, "observe=[history]")
    assert ended.returncode == 0, ended.stderr
    jobs = sorted(path.name for path in tmp_path.glob("outputs/sweeps/*/*") if path.is_dir())
    assert jobs == [
        f"model-{model}_optim-sgd_data.examples-60_max_epochs-1" for model in ("linear", "mlp")
    ]
    table = command("outputs/sweeps", script="scripts/collect.py")
    assert table.returncode == 0, table.stderr
    (csv,) = tmp_path.glob("outputs/sweeps/results.csv")
    assert len(csv.read_text().splitlines()) == 3


def kill_after(
    epochs: int, arguments: list[str], folder: Path, data_root: Path, number: int
) -> int:
    """Start a run, send it a signal when its history has ``epochs`` lines; return its status."""
    with open(folder / "stderr.txt", "w") as errors:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "train.py"), *arguments],
            cwd=folder,
            env={**os.environ, "DLCOURSE_DATA": str(data_root)},
            stdout=subprocess.DEVNULL,
            stderr=errors,
            # a shell's background job ignores Ctrl-C, and so would its children
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        histories = list(folder.glob("here/**/history.jsonl"))
        if sum(len(path.read_text().splitlines()) for path in histories) >= epochs:
            process.send_signal(number)
            return process.wait(30)
        time.sleep(0.005)
    process.kill()
    raise AssertionError("the run ended, or never wrote its history")


def ends(folder: Path) -> dict:
    """Return a run's weights and history, without the times."""
    import torch

    found = {}
    for path in sorted(folder.rglob("*.pt")):
        content = torch.load(path, weights_only=True)
        found |= {
            f"{path.parent.parent.name}/{path.name}/{n}": v for n, v in content["model"].items()
        }
    for path in sorted(folder.rglob("history.jsonl")):
        for line in path.read_text().splitlines():
            record = json.loads(line)
            del record["seconds"], record["examples_per_second"]
            found[f"{path.parent.name}/{record['epoch']}"] = record
    return found


def equal(first: dict, second: dict) -> bool:
    import torch

    return first.keys() == second.keys() and all(
        torch.equal(a, second[key]) if torch.is_tensor(a) else a == second[key]
        for key, a in first.items()
    )


LONG = ["data.examples=400", "max_epochs=12", "model=mlp", "model.dropout=0.3", "stop=never",
        "observe=[history]", "hydra.run.dir=here", "batch_size=2"]  # fmt: skip


@pytest.mark.parametrize(
    ("more", "epochs"),
    [([], 5), (["split=stratified_kfold", "split.folds=3", "max_epochs=5"], 7)],
)
def test_a_killed_run_resumes_to_the_same_weights_as_an_uninterrupted_one(
    more, epochs, here, tmp_path, data_root
):
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    assert here(*LONG, *more, cwd=tmp_path / "whole").returncode == 0
    parts = tmp_path / "parts"
    assert kill_after(epochs, [*LONG, *more], parts, data_root, signal.SIGKILL) == -signal.SIGKILL
    assert not (parts / "here/result.json").exists()
    resumed = here("resume=here", cwd=parts)
    assert resumed.returncode == 0, resumed.stderr
    whole, pieces = ends(tmp_path / "whole/here"), ends(parts / "here")
    assert equal(whole, pieces)
    key = next(key for key in pieces if key.endswith("weight"))
    pieces[key] = pieces[key] + 1e-7
    assert not equal(whole, pieces), "the comparison misses a difference"


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_prints_how_to_resume_it(number, status, tmp_path, data_root, here):
    assert kill_after(3, LONG, tmp_path, data_root, number) == status
    message = (tmp_path / "stderr.txt").read_text()
    typed = f"{sys.executable} {ROOT / 'train.py'}"
    assert message == f"\nStopped. To resume: {typed} resume=here\n"
    assert (tmp_path / "here/checkpoints/last.pt").exists()
    assert here("resume=here").returncode == 0


def test_a_run_in_progress_refuses_a_second_process(unfinished, here):
    with filelock.FileLock(unfinished / ".hydra/lock"):
        ended = here("resume=here")
    assert ended.returncode == 2
    assert "Another process is using" in ended.stderr
