"""``dlcourse.train`` gives the run of the command line and restores the process's state."""

import json
import logging
import os
import random
import re
import signal
import subprocess
import sys
from inspect import signature
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import SMALL
from hydra.core.hydra_config import HydraConfig

import dlcourse
from dlcourse.runs import start_record
from dlcourse.terminal.installed import short_path

TIMES = ("seconds", "examples_per_second")


def best(folder):
    return torch.load(folder / "checkpoints/best.pt", weights_only=True)["model"]


def equal(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def without_times(history):
    return [{k: v for k, v in row.items() if k not in TIMES} for row in history]


def test_dlcourse_train_and_the_command_give_equal_folders_and_weights(here, from_python, tmp_path):
    overrides = [*SMALL, "model=lenet", "optim=sgd", "max_epochs=2", "augment=[flip]"]
    ended = here(*overrides, "hydra.run.dir=command")
    assert ended.returncode == 0, ended.stderr
    torch.manual_seed(7)
    torch.rand(3)  # a notebook draws numbers in between
    run = from_python("model=lenet", "optim=sgd", augment=["flip"], folder="python")
    command = dlcourse.load("command")
    assert equal(best(command.folder), best(run.folder))
    assert without_times(run.history) == without_times(command.history)
    assert run.config == command.config
    assert run.result["test"] == command.result["test"]
    assert run.result["options"] == command.result["options"]
    names = {path.relative_to("command") for path in Path("command").rglob("*")}
    assert names == {path.relative_to("python") for path in Path("python").rglob("*")}
    choices = [start_record.stored_choices(one.folder) for one in (run, command)]
    assert choices[0] == choices[1]
    assert choices[0]["model"] == "lenet"
    log = (run.folder / "train.log").read_text()
    assert re.search(r"^\[.*\]\[INFO\] epoch 2/2  train loss", log, re.MULTILINE)


def test_a_second_call_gives_the_weights_of_a_fresh_process(from_python, tmp_path):
    other = "model=mlp", "optim=adam", "runtime.deterministic=true", "runtime.threads=1"
    from_python(*other)
    run = from_python("model=mlp", "optim=sgd")
    script = (
        "import torch; torch.set_num_threads(1); import dlcourse;"
        f"dlcourse.train(*{SMALL}, 'model=mlp', 'optim=sgd', max_epochs=2, folder='alone')"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, timeout=120)
    assert equal(best(run.folder), best(tmp_path / "alone"))


def state_of_the_process():
    """Return the state of the process that a call could change."""
    root = logging.getLogger()
    return {
        "handlers": root.handlers[:],
        "level": root.level,
        "signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
        "environment": dict(os.environ),
        "path": sys.path[:],
        "argv": sys.argv[:],
        "folder": os.getcwd(),
        "streams": (sys.stdout, sys.stderr, sys.stdin),
        "dtype": torch.get_default_dtype(),
        "device": torch.get_default_device(),
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "warn_only": torch.is_deterministic_algorithms_warn_only_enabled(),
        "cudnn": (torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic),
        "gradients": torch.is_grad_enabled(),
        "products": torch.get_float32_matmul_precision(),
        "torch": torch.get_rng_state().tolist(),
        "numpy": np.random.get_state()[1].tolist(),
        "python": random.getstate(),
        "hydra": HydraConfig.initialized(),
    }


def use(from_python, tmp_path):
    run = from_python("model=mlp", "optim=sgd", "runtime.deterministic=true", "runtime.threads=2")
    run.predict(run.dataset.test.inputs)
    repr(run), run._repr_html_(), run.model
    dlcourse.compose("model=mlp")
    with pytest.raises(dlcourse.UserError):
        from_python("model=cnn")
    with pytest.raises(dlcourse.DivergedError):
        from_python("model=mlp", "optim=sgd", "optim.lr=1000", "data=diabetes")


def test_a_call_restores_the_state_of_the_process(from_python, tmp_path):
    before = state_of_the_process()
    use(from_python, tmp_path)
    after = state_of_the_process()
    assert after == before


def test_the_callers_torch_settings_are_restored_and_do_not_affect_the_run(from_python):
    plain = from_python("model=mlp", "optim=sgd")
    torch.set_default_dtype(torch.float64)
    torch.set_float32_matmul_precision("medium")
    try:
        before = state_of_the_process()
        with torch.no_grad():
            run = from_python("model=mlp", "optim=sgd")
            assert not torch.is_grad_enabled()
        assert state_of_the_process() == before
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_float32_matmul_precision("highest")
    assert equal(best(run.folder), best(plain.folder))


def test_the_callers_log_handler_gets_no_records_and_stays_open(from_python, tmp_path):
    handler = logging.FileHandler(tmp_path / "own.log", mode="w")
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        from_python("model=mlp", "optim=sgd")
        root.warning("after the run")
    finally:
        root.removeHandler(handler)
        handler.close()
    assert (tmp_path / "own.log").read_text() == "after the run\n"


def test_epochs_are_printed_unless_quiet_is_set(from_python, capsys):
    run = from_python("model=mlp", "optim=sgd", quiet=False)
    shown = capsys.readouterr().out
    assert "epoch 2/2  train loss" in shown
    assert f"Results are in {short_path(run.folder)}" in shown
    from_python("model=mlp", "optim=sgd")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "overrides", [["model=cnn"], ["optim.lr=-1"], ["hidden=3"], ["model=lenet", "data=moons"]]
)
def test_a_mistake_raises_an_error_with_the_message_of_the_command(here, from_python, overrides):
    ended = here(*SMALL, *overrides)
    assert ended.returncode == 2
    with pytest.raises(dlcourse.UserError) as caught:
        from_python(*overrides)
    first = str(caught.value).splitlines()[0]
    assert f"dlcourse: {first}" in ended.stderr
    assert not list(Path("outputs").rglob("*")) if Path("outputs").exists() else True


def test_ipython_shows_the_message_without_a_traceback():
    error = dlcourse.UserError("model=x is not there")
    assert error._render_traceback_() == ["dlcourse.UserError: model=x is not there"]


def test_an_interrupted_run_resumes_to_the_same_weights(from_python, monkeypatch, capsys):
    whole = from_python("model=mlp", "optim=sgd", max_epochs=3)
    from dlcourse.observe.history import History

    written = History.epoch

    def interrupted(self, state):
        written(self, state)
        if state.history[-1].epoch == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(History, "epoch", interrupted)
        with pytest.raises(KeyboardInterrupt):
            from_python("model=mlp", "optim=sgd", max_epochs=3, folder="stopped")
    assert 'To resume: dlcourse.train(resume="stopped")' in capsys.readouterr().err
    with pytest.raises(dlcourse.UserError, match=r'dlcourse.train\(resume="stopped"\)'):
        dlcourse.load("stopped")
    run = dlcourse.train(resume="stopped", quiet=True)
    assert equal(best(run.folder), best(whole.folder))
    assert without_times(run.history) == without_times(whole.history)


def test_resuming_a_finished_run_returns_it_or_trains_the_additional_epochs(from_python):
    run = from_python("model=mlp", "optim=sgd")
    same = dlcourse.train(resume=run, quiet=True)
    assert (same.folder, same.result) == (run.folder, run.result)
    longer = dlcourse.train(resume=run, max_epochs=3, quiet=True)
    assert [row["epoch"] for row in longer.history] == [1, 2, 3]


def test_a_users_own_model_trains_and_is_loaded_with_trust(from_python, tmp_path):
    (tmp_path / "own_net.py").write_text(
        "from torch import nn\n"
        "class Net(nn.Sequential):\n"
        "    def __init__(self, input_shape, output_size):\n"
        "        super().__init__(nn.Flatten(), nn.LazyLinear(output_size))\n"
        "        import torch; self(torch.zeros(1, *input_shape))\n"
    )
    (tmp_path / "own/model").mkdir(parents=True)
    (tmp_path / "own/model/net.yaml").write_text("_target_: own_net.Net\n_partial_: true\n")
    run = from_python("model=net", config_dir="own")
    inputs = run.dataset.test.inputs[:5]
    assert run.predict(inputs).shape == (5, 10)
    with pytest.raises(dlcourse.UserError, match="own_net"):
        dlcourse.load(run.folder).predict(inputs)
    loaded = dlcourse.load(run.folder, trust="own_net")
    assert torch.equal(loaded.predict(inputs), run.predict(inputs))


def test_importing_dlcourse_imports_no_torch_hydra_or_numpy():
    script = "import sys, dlcourse; assert not {'torch', 'hydra', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_dlcourse_train_and_sweep_are_functions_and_packages():
    import dlcourse.sweep.progress
    import dlcourse.train.fit

    assert callable(dlcourse.train)
    assert callable(dlcourse.sweep)
    assert callable(dlcourse.train.fit.fit)  # the package is still there
    assert "folder" in signature(dlcourse.train).parameters
    assert "resume: the folder of a stopped run" in dlcourse.train.__doc__
    assert set(dlcourse.__all__) <= set(dir(dlcourse))
    assert all(getattr(dlcourse, name) for name in dlcourse.__all__)


def test_compose_composes_and_checks_as_for_a_run(from_python):
    config = dlcourse.compose("model=mlp", "optim=sgd", optim={"lr": 0.05})
    assert config["optim"]["lr"] == 0.05
    assert json.dumps(config)  # plain
    with pytest.raises(dlcourse.UserError, match="did you mean lenet"):
        dlcourse.compose("model=lenett")


def test_the_choices_of_a_group_are_listed(from_python):
    assert dlcourse.choices("clip") == ["agc", "none", "norm", "value"]
    with pytest.raises(dlcourse.UserError, match="did you mean model"):
        dlcourse.choices("models")
