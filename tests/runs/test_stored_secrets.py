"""No file of a run, a report, an export or a sweep holds a password or a value of the environment.

Secrets are marked texts; every byte of every file is searched for them, in several encodings.
"""

import base64
import json
import logging
import shutil

import pytest
import yaml

import dlcourse
from dlcourse.engine.hidden_secrets import hidden_in_logs
from dlcourse.errors import UserError
from dlcourse.runs.start_record import storable_hydra, stored_config, usable_config
from dlcourse.runs.stored_addresses import stay_local
from dlcourse.schema.compose import compose_job, without_hydra
from dlcourse.schema.from_environment import refuse_other_references, resolved, storable
from dlcourse.schema.passwords import concealed, concealed_override, without_password
from dlcourse.sweep.manifest import identity_of

SECRETS = {"PLACE": "MARKEDplace", "KEY": "MARKEDkey", "DROP": "0.173205"}
PLAIN = "PLAINmark"
OWN = "defaults: [mlp, _self_]\nwidths: [4]\ndropout: ${oc.decode:${oc.env:DROP}}\n"
SENDER = """own:
  _target_: sender_of_secrets.Sender
  _partial_: true
  address: null
  api_key: ${oc.env:KEY}
"""
CODE = """from dlcourse.core import Observer
class Sender(Observer):
    def __init__(self, folder, address, api_key):
        assert address == "postgresql://me:MARKEDtyped@host/db" and api_key == "MARKEDkey"
"""
OVERRIDES = (
    "model=own", "data.examples=60", "max_epochs=2", f"note='{PLAIN} of ${{oc.env:KEY}}'",
    "data.root=${oc.env:PLACE}/x",
    "observe=[console,history,tensorboard,own]", "runtime=cpu",
    "observe.own.address='postgresql://me:MARKEDtyped@host/db'",
)  # fmt: skip


def forms(mark: str) -> list[bytes]:
    """Return a text in the encodings in which a file could hold it."""
    coded = [base64.b64encode(b"\0" * n + mark.encode())[2 * n : -4] for n in range(3)]
    return [mark.encode(), mark.encode("utf-16-le"), mark.encode("utf-16-be"), *coded]


def files_with(folder, mark: str) -> list[str]:
    """Return the files of a folder that hold a text, in their bytes or their names."""
    return [
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if mark in path.name
        or (path.is_file() and any(form in path.read_bytes() for form in forms(mark)))
    ]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a folder with a run, its report and export, and a sweep, all with secrets."""
    place = tmp_path_factory.mktemp("secrets")
    for name, text in {
        "c/model/own.yaml": OWN,
        "c/observe/own.yaml": SENDER,
        "sender_of_secrets.py": CODE,
    }.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SECRETS.items():
            patch.setenv(name, value)
        patch.syspath_prepend(place)
        patch.chdir(place)
        run = dlcourse.train(*OVERRIDES, folder="files/run", config_dir="c", quiet=True)
        run.report()
        run.export("state_dict", to="files/export")
        yield place


def test_no_file_holds_a_secret_and_a_plain_mark_is_found(place):
    for mark in ("MARKEDplace", "MARKEDkey", "MARKEDtyped"):
        assert files_with(place / "files", mark) == []
    assert files_with(place / "files/run/.hydra", SECRETS["DROP"]) == []
    found = files_with(place / "files", PLAIN)
    assert {"run/.hydra/config.yaml", "run/result.json"} <= set(found)
    assert any("tfevents" in name for name in found)


def test_the_stored_config_refers_to_the_variables(place):
    config = stored_config(place / "files/run")
    assert config["data"]["root"] == "${oc.env:PLACE}/x"
    assert config["model"]["dropout"] == "${oc.decode:${oc.env:DROP}}"
    assert config["observe"]["own"]["api_key"] == "${oc.env:KEY}"
    assert config["observe"]["own"]["address"] == "postgresql://me:***@host/db"
    overrides = yaml.safe_load((place / "files/run/.hydra/overrides.yaml").read_text())
    assert "data.root=${oc.env:PLACE}/x" in overrides


def test_a_run_is_opened_with_the_variables_of_the_environment(place, monkeypatch):
    assert dlcourse.load(place / "files/run", trust=["sender_of_secrets"]).model is not None
    assert usable_config(place / "files/run")["model"]["dropout"] == float(SECRETS["DROP"])
    monkeypatch.setenv("DROP", "0.5")
    with pytest.raises(UserError, match=r"model\.dropout.*another value"):
        usable_config(place / "files/run")
    monkeypatch.delenv("PLACE")
    with pytest.raises(UserError, match=r"(?s)PLACE is not set.*data\.root="):
        usable_config(place / "files/run")


def test_a_resumed_run_takes_the_secret_from_what_is_typed(place, monkeypatch):
    copy = place / "copy"
    shutil.copytree(place / "files/run", copy)
    (copy / "result.json").unlink()
    monkeypatch.delenv("PLACE")
    more = ("observe=[history]", "data.root=elsewhere")
    assert dlcourse.train(*more, resume=copy, quiet=True).result["epochs"] == 2
    stored = stored_config(copy)["data"]["root"]
    assert stored == "${oc.env:PLACE}/x"  # what the run was started with


def test_a_sweeps_folder_holds_no_secret(here, tmp_path, monkeypatch):
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    typed = [
        "model=mlp", "data.examples=60", "max_epochs=1", "observe=[history]", "seed=0,1",
        "data.root=${oc.env:PLACE}",
        f"tags=[{PLAIN}]", "+hydra.job.env_set.KEY=MARKEDkey", "hydra.sweep.dir=swept",
    ]  # fmt: skip
    assert here("-m", *typed).returncode == 0
    for mark in ("MARKEDplace", "MARKEDkey"):
        assert files_with(tmp_path / "swept", mark) == []
    assert "swept/sweep.json" in files_with(tmp_path, PLAIN)


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("mysql+pymysql://me:secret@host/db", "mysql+pymysql://me:***@host/db"),
        ("postgresql://me:se/cr@host/db", "postgresql://me:***@host/db"),
        ("https://me:p@ss@host/x", "https://me:***@host/x"),
        ("https://0123456789abcdef01@host/x", "https://***@host/x"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
        ("https://host/x?token=abc&run=3", "https://host/x?token=***&run=3"),
        ("https://host/x?run=3&api_key=abc", "https://host/x?run=3&api_key=***"),
        ("['export WANDB_API_KEY=abc', b]", "['export WANDB_API_KEY=***', b]"),
        ("host=h password=abc", "host=h password=***"),
        ("https://host:5000/x@y", "https://host:5000/x@y"),
        ("sqlite:///study.db", "sqlite:///study.db"),
        ("plain text: a = b", "plain text: a = b"),
    ],
)
def test_an_address_is_stored_without_its_password(text, stored):
    assert without_password(text) == stored
    assert concealed("any", [text]) == [stored]


def test_the_text_of_a_secret_option_is_masked_and_others_are_kept():
    assert concealed("model.api_key", "abc") == "***"
    assert concealed("model.token", 3) == 3
    assert concealed("model.tokens", "abc") == "abc"
    assert concealed("model.token", "${oc.env:X}") == "${oc.env:X}"
    assert concealed_override("+model.password=abc") == "+model.password='***'"
    assert concealed_override("optim.lr=0.1") == "optim.lr=0.1"


def test_hydras_part_is_stored_without_set_variables_and_launcher_options():
    text = yaml.safe_dump(
        {
            "hydra": {
                "launcher": {"_target_": "a.B", "setup": ["export KEY=MARKEDkey"]},
                "job": {"env_set": {"KEY": "MARKEDkey"}},
                "overrides": {"hydra": ["hydra.job.env_set.KEY=MARKEDkey", "hydra.mode=RUN"]},
            }
        }
    )
    stored = yaml.safe_load(storable_hydra(text))["hydra"]
    assert stored["launcher"] == {"_target_": "a.B"}
    assert stored["job"] == {"env_set": {"KEY": "***"}}
    assert stored["overrides"]["hydra"] == ["hydra.mode=RUN"]


def test_references_between_keys_are_followed_to_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("PLACE", "MARKEDplace")
    (tmp_path / "model").mkdir()
    (tmp_path / "model/own.yaml").write_text(
        "defaults: [mlp, _self_]\nfirst: ${oc.env:PLACE}\nsecond: a/${.first}\n"
        "third: ${model.second}\nfourth: [1, '${..first}']\n"
    )
    config = without_hydra(compose_job(["model=own"], str(tmp_path)))
    assert config["model"]["third"] == "a/MARKEDplace"
    stored = storable(config)
    assert "MARKED" not in json.dumps(stored)
    assert stored["model"]["third"] == "a/${oc.env:PLACE}"
    assert stored["model"]["fourth"] == [1, "${oc.env:PLACE}"]
    assert resolved(stored) == config
    assert storable(stored) == stored


@pytest.mark.parametrize("text", ["${oc.create:'${oc.env:PLACE}'}", "${oc.select:model.first}"])
def test_a_value_that_no_reference_can_store_is_refused(tmp_path, monkeypatch, text):
    monkeypatch.setenv("PLACE", "MARKEDplace")
    (tmp_path / "model").mkdir()
    (tmp_path / "model/own.yaml").write_text(
        f'defaults: [mlp, _self_]\nfirst: ${{oc.env:PLACE}}\nsecond: "{text}"\n'
    )
    with pytest.raises(UserError, match="cannot be stored"):
        without_hydra(compose_job(["model=own"], str(tmp_path)))


@pytest.mark.parametrize(
    "config",
    [
        {"note": "${hydra:runtime.cwd}"},
        {"note": "${oc.env:A,${oc.create:x}}"},
        {"note": "${seed}"},
        {"model": {"_target_": "${oc.env:A}"}},
        {"data": {"_target_": "dlcourse.data.huggingface.huggingface", "name": "me/${oc.env:A}"}},
    ],
)
def test_a_stored_config_may_refer_to_the_environment_alone_and_sends_none_of_it(config):
    with pytest.raises(UserError):
        refuse_other_references(config, "config.yaml")
    refuse_other_references(
        {"data": {"root": "${oc.env:A}/x", "b": "${oc.decode:${oc.env:B}}"}}, ""
    )


def test_the_log_holds_no_secret(tmp_path, caplog):
    address = "db://me:MARKEDtyped@host"
    config = {"data": {"root": "MARKEDplace/x"}, "a": {"url": address}, "n": PLAIN}
    config["_from_environment_"] = {"data.root": "${oc.env:PLACE}/x"}
    log = logging.getLogger("test")
    with hidden_in_logs(config):
        log.warning("cannot read %s and %s of %s", "MARKEDplace/x/file", config["a"]["url"], PLAIN)
        try:
            raise ValueError("db://me:MARKEDtyped@host is gone")
        except ValueError:
            log.exception("at MARKEDplace/x")
    assert "MARKED" not in caplog.text
    assert "${oc.env:PLACE}/x/file and db://me:***@host of PLAINmark" in caplog.text
    log.warning("MARKEDplace/x")
    assert "MARKEDplace/x" in caplog.text  # the control: nothing is hidden after the run


def test_a_trackers_address_from_the_environment_is_not_taken_from_a_folder(capsys):
    node = {"_target_": "dlcourse.observe.mlflow.Mlflow", "uri": "${oc.env:URI}"}
    config = {"observe": {"mlflow": node}}
    stay_local(config)
    assert config["observe"]["mlflow"]["uri"] is None
    assert "'observe.mlflow.uri=${oc.env:URI}'" in capsys.readouterr().out


def test_the_hash_of_a_sweep_is_made_without_secrets():
    def config(value):
        return {"model": {"key": value}, "_from_environment_": {"model.key": "${oc.env:KEY}"}}

    assert identity_of(config("a"), []) == identity_of(config("b"), [])
    earlier = [identity_of(config(value), [], secrets=True) for value in "ab"]
    assert earlier[0] != earlier[1]  # as versions before made it; such sweeps are still resumed
