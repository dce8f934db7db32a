"""What is typed, and the configs and overrides that are stored in folders."""

import json
import random
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

from dlcourse.atomic_files import to_json
from dlcourse.schema.run_files import CONFIG, HYDRA, OVERRIDES
from fuzzing.drive import Prepared
from fuzzing.finished_run import read_all, run_copy
from fuzzing.mutations import mutated_bytes, mutated_tree

KEYS = (
    "model", "data", "optim", "loss", "schedule", "metric", "augment", "stop", "split", "runtime",
    "optim.lr", "optim.betas", "model.widths", "model.dropout", "model.activation", "seed",
    "max_epochs", "batch_size", "data.root", "data.size", "monitor", "mode", "init", "clip",
    "+model.x", "~optim.lr", "~max_epochs", "++optim.lr", "hydra.run.dir", "hydra.mode",
    "model@optim", "no_such", "optim.learning_rate", "tags", "note", "trust", "resume", "observe",
    "average", "sampler", "regularizer", "view", "experiment", "checkpoint_every", "max_time",
    "optim._target_", "model._facts_", "", "+", "~", "hydra/launcher", "random_streams",
)  # fmt: skip
TYPED = (
    "mlp", "lenet", "adam", "0.1", "-1", "0", "nan", "inf", "1e-320", "9" * 400, "null", "true",
    "[]", "{}", "[1,2]", "{a:1}", "[crop,flip]", "1,2", "range(3)", "choice(a,b)", "glob(*)",
    "interval(0,1)", "${seed}", "${no.such}", "${oc.env:HOME}", "${oc.env:NO_SUCH}", "${", "}",
    "'", '"', "\\", "'a b'", "a b", "ü", "~", "\x00", "\n", "/dev/null", "../x", "x" * 300,
    "x" * 5000, "[" * 200, "{a:" * 50, "???", "_", ".", "@", ":", "a=b", "str(1)", "int(x)",
    "sort(3,1)", "shuffle(a,b)", "tag(a,1)", "extend_list(1)", "${oc.select:x}", "1h", "1epoch",
    "full", "auto", "0x1F", "1_000", "1e5", "True", "None", "val/loss", "cosine",
)  # fmt: skip


def typed_overrides() -> Any:
    """Return a strategy of overrides: known and odd keys with known, odd and random values."""
    key = st.one_of(st.sampled_from(KEYS), st.sampled_from(KEYS), st.text(max_size=6))
    value = st.one_of(
        st.sampled_from(TYPED), st.sampled_from(TYPED), st.text(max_size=10),
        st.text(alphabet="[]{}(),:='\"\\${} a1", max_size=14), st.floats().map(repr),
        st.integers().map(str),
    )  # fmt: skip
    one = st.one_of(
        st.tuples(key, value).map("=".join), st.tuples(key, value).map("=".join),
        st.text(max_size=12), st.sampled_from(["--help", "-m", "--cfg", "a", "=", "a="]),
    )  # fmt: skip
    return st.lists(one, min_size=1, max_size=3).map(lambda some: to_json(some).encode())


def overrides(folder: Path) -> Prepared:
    """Compose and check the config of what is typed."""
    from dlcourse.engine.instantiate import build_all
    from dlcourse.schema.compose import compose_job, without_hydra
    from dlcourse.schema.validate import check

    def read(content: bytes) -> None:
        config = without_hydra(compose_job(json.loads(content), None))
        check(config)
        build_all(config)

    return Prepared(read, strategy=typed_overrides())


def yaml_text(tree: Any) -> bytes:
    """Return content as YAML; what YAML cannot hold becomes text."""
    try:
        return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True).encode(errors="replace")
    except (yaml.YAMLError, RecursionError, ValueError):
        return repr(tree).encode(errors="replace")


def stored_config(folder: Path) -> Prepared:
    """Read the config of a run as ``resume=`` does, up to the objects that it names."""
    from dlcourse.engine.instantiate import build_all
    from dlcourse.runs.start_record import stored_config as read_config
    from dlcourse.schema.facts import GROUPS
    from dlcourse.schema.trust import check_trust
    from dlcourse.schema.validate import check

    run = run_copy(folder)
    path = run / CONFIG
    text = path.read_bytes()
    tree = yaml.safe_load(text)

    def read(content: bytes) -> None:
        path.write_bytes(content)
        config = read_config(run) | {"trust": [], "resume": None}
        check_trust(config)
        check(config, used=set(GROUPS) - {"init"})
        build_all(config)

    def make(draw: random.Random) -> bytes:
        if draw.random() < 0.6:
            return yaml_text(mutated_tree(draw, tree))
        return mutated_bytes(draw, [text])

    return Prepared(read, make)


def stored_overrides(folder: Path) -> Prepared:
    """Read the overrides and Hydra's config of a run, and the labels."""
    from dlcourse.report.page_facts import config_folder_of
    from dlcourse.report.runs import read_run
    from dlcourse.runs import start_record
    from dlcourse.runs.labels import change_labels

    run = run_copy(folder)
    texts = {b"o": (run / OVERRIDES).read_bytes(), b"h": (run / HYDRA).read_bytes()}
    trees = {kind: yaml.safe_load(text) for kind, text in texts.items()}
    places = {b"o": run / OVERRIDES, b"h": run / HYDRA}
    config = start_record.stored_config(run)

    def read(content: bytes) -> None:
        path = places[content[:1]]
        path.write_bytes(content[1:])
        try:
            read_all(
                lambda: start_record.stored_overrides(run),
                lambda: start_record.stored_choices(run),
                lambda: config_folder_of(run),
                lambda: read_run(run),
                lambda: change_labels(run, config | {"note": str(content[-1:])}),
                lambda: start_record.replace_config(run, config, ["max_epochs=3", "stop=never"]),
            )
        finally:
            for kind, place in places.items():
                place.write_bytes(texts[kind])

    def make(draw: random.Random) -> bytes:
        kind = draw.choice([b"o", b"h"])
        if draw.random() < 0.6:
            return kind + yaml_text(mutated_tree(draw, trees[kind]))
        return kind + mutated_bytes(draw, [texts[kind]])

    return Prepared(read, make)
