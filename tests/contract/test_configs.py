"""Every file in ``configs/`` follows the rules for configs; files are found by listing folders."""

import atexit
import inspect
import shlex
from functools import cache
from importlib import import_module
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import pytest
import yaml
from conftest import CONFIGS, option_facts, options
from hydra.core.override_parser.overrides_parser import OverridesParser
from PIL import Image

from dlcourse.engine.instantiate import locate
from dlcourse.engine.run import run
from dlcourse.errors import UserError, meant
from dlcourse.schema.bounds import BOUNDS, bounds_of
from dlcourse.schema.facts import FACTS, check_facts, missing_facts, sizes_of
from dlcourse.schema.kinds import Flag, Number, Numbers, OneLine, OneOf, Tags, Texts
from dlcourse.schema.overrides import leaves
from dlcourse.schema.validate import GROUPS, MULTIPLE, NOT_ARGUMENTS, check

FILES = sorted(CONFIGS.glob("*/*.yaml"))
CHOICES = [(group, option) for group in GROUPS for option in options(group)]
NEED_FILES = (
    "mnist", "fashion_mnist", "kmnist", "emnist", "notmnist", "cifar10", "cifar100",
    "image_folder", "csv", "parquet", "npz", "function", "huggingface", "svhn", "stl10",
    "tiny_imagenet", "in_memory",
)  # fmt: skip
KEYS = [
    f"{group}.{name}".lstrip(".").replace("*", "accuracy")
    for group, table in BOUNDS.items()
    for name in table
]
ANY_TEXT = (
    "monitor", "data.root", "data.folder", "data.file", "data.target", "data.group", "data.inputs",
    "data.targets", "data.path", "data.name", "data.train_split", "data.val_split",
    "data.test_split", "data.label_column", "data.image_column", "data.labels", "data.test_file",
    "data.weight", "data.id", "data.date_format",
    "model.name",
    "model.weights", "init.run", "init.file", "sweep.storage", "sweep.study",
    "observe.aim.repo", "observe.aim.experiment", "observe.aim.name", "observe.mlflow.experiment",
    "observe.mlflow.name", "observe.mlflow.uri", "observe.wandb.entity", "observe.wandb.group",
    "observe.wandb.name", "observe.wandb.project",
)  # fmt: skip


def of_values(metric: str) -> bool:
    """Return whether a metric is for a regression."""
    return option_facts("metric", metric)["task"] == "regression"


def of_several_classes(metric: str) -> bool:
    """Return whether a metric is for examples that can have several classes."""
    return option_facts("metric", metric)["task"] == "multilabel"


@cache
def images_with_labels() -> str:
    """Return a folder of 100 small images and labels.csv, a column for each of two classes."""
    folder = Path(mkdtemp())
    atexit.register(rmtree, folder)
    for number in range(100):
        Image.new("L", (8, 8), 2 * number).save(folder / f"{number}.png")
    lines = [f"{number}.png,{number % 2},{int(number % 3 == 0)}" for number in range(100)]
    (folder / "labels.csv").write_text("\n".join(["file,odd,third", *lines]))
    return str(folder)


def override_for(group: str, option: str) -> str:
    """Return the override that chooses an option."""
    if (
        group == "metric"
        and option != "accuracy"
        and not (of_values(option) or of_several_classes(option))
    ):
        return f"metric=[accuracy,{option}]"  # accuracy is the default monitor
    return f"{group}=[{option}]" if group in MULTIPLE else f"{group}={option}"


def skip_without_aim(option: str) -> None:
    """Skip the test of the only choice whose package the tests do not install: it is large."""
    if option == "aim":
        pytest.importorskip("aim")


def needs(group: str, option: str) -> list[str]:
    """Return the other overrides that a choice needs because it does not fit every run."""
    if group == "metric" and of_values(option):
        return ["data=sine"]
    if group == "metric" and of_several_classes(option):
        data = ["data=image_folder", f"data.root={images_with_labels()}", "data.labels=labels.csv"]
        return [*data, "loss=bce", "monitor=val/loss", "mode=min"]
    if group == "loss" and option_facts("loss", option)["task"] == "regression":
        return ["data=sine"]
    table = ["data=csv", "data.file=groups.csv", "data.target=kind"]
    if option == "group_kfold":
        return [*table, "data.group=patient"]
    if (group, option) == ("sampler", "weighted"):
        return [*table, "data.weight=x"]
    if option == "function":
        return ["data.function=my_module.load"]
    models = {"closed_form": "linear", "whitening": "lenet"}
    return [f"model={models[option]}"] if option in models else []


def a_run(folder):
    """Make a folder that the checks accept as a finished run."""
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints/best.pt").touch()
    return folder


def a_table_with_groups(folder):
    """Write a table of 100 rows, ten of each patient."""
    rows = [f"{n % 7},{n % 3},{'ab'[n % 2]},{n // 10}" for n in range(100)]
    (folder / "groups.csv").write_text("\n".join(["x,y,kind,patient", *rows, ""]))
    return folder


def nodes(path) -> list[dict]:
    """Return the nodes with a target in a config file."""
    found = []

    def search(value):
        if isinstance(value, dict):
            if "_target_" in value:
                found.append(value)
            for inner in value.values():
                search(inner)

    search(yaml.safe_load(path.read_text()))
    return found


IMAGE_MODELS = [
    name for name in options("model") if option_facts("model", name).get("smallest_image")
]
NODES = [(path.parent.name, path.stem, node) for path in FILES for node in nodes(path)]


def test_every_group_has_a_package_a_config_folder_and_tests():
    import dlcourse

    package = dlcourse.__path__[0]
    for group in set(GROUPS) - {"runtime"}:
        contract = import_module(f"dlcourse.{group}").__doc__
        assert contract, f"{package}/{group} has no docstring with its contract"
        assert (CONFIGS / group).is_dir()
        assert (CONFIGS.parent / "tests" / group).is_dir()


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_config_starts_with_a_description_and_a_command_that_works(path, compose, tmp_path):
    skip_without_aim(path.stem)
    lines = path.read_text().splitlines()
    header = [line for line in lines if line.startswith("#") and "@package" not in line]
    assert len(header[0]) > 20
    command = next(line for line in header if "python train.py" in line)
    overrides = shlex.split(command.split("python train.py")[1].split("   ")[0])
    images = tmp_path / "my_images"
    images.mkdir()
    (images / "labels.csv").write_text("file,cat,dog\n")
    a_run(tmp_path / "my_run")
    (tmp_path / "weights.pth").write_bytes(b"not read")
    for name in ("my_images", "my_run", "weights.pth"):
        overrides = [w.replace(name, str(tmp_path / name)) for w in overrides if w != "-m"]
    if path.parent.name == "sweep":
        assert planned(overrides).jobs
    else:
        check(compose(*overrides))


def planned(overrides: list[str]):
    """Return the plan of a sweep, with every job composed and checked."""
    from dlcourse.schema.compose import compose_job
    from dlcourse.sweep.plan import make_plan
    from dlcourse.sweep.search_space import read_spaces

    fixed, spaces = read_spaces(overrides, None)
    return make_plan(compose_job(fixed, None), fixed, spaces, None)


@pytest.mark.parametrize(("group", "name", "node"), NODES)
def test_the_keys_of_a_choice_are_the_arguments_of_its_target(group, name, node):
    function = locate(node["_target_"])
    parameters = inspect.signature(function).parameters.values()
    keys = {key for key in node if not key.startswith("_")} - set(NOT_ARGUMENTS.get(group, ()))
    if node["_target_"].startswith("torch."):
        assert keys <= {parameter.name for parameter in parameters}
        return
    keyword_only = [p for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY]
    given_by_the_run = {
        "data": {"root", "seed"},
        "split": {"classes", "ready_val", "groups"},
        "augment": {"classes", "index", "epoch", "seed", "mean"},
        "average": {"steps", "steps_per_epoch"},
        "init": {"inputs"},
        "loss": {"pos_weight"},
        "sampler": {"seed", "epoch"},
    }
    given = given_by_the_run.get(group, set())
    assert keys == {p.name for p in keyword_only} - given
    own = [p for p in keyword_only if p.name not in given]
    assert all(p.default is inspect.Parameter.empty for p in own), "the YAML has defaults"


def test_the_keys_of_a_users_own_choice_are_not_checked(compose):
    config = compose()
    config["model"] = {"_target_": "my_model.Wide", "_partial_": True, "k": 0.5, "norm": "mine"}
    check(config)
    config["data"] |= {"_target_": "my_data.mine", "size": -1}
    check(config)
    config["data"]["random_labels"] = 2
    with pytest.raises(UserError, match=r"data\.random_labels"):
        check(config)


def without_bounds(group: str, name: str, node: dict) -> list[str]:
    """Return the keys of a choice that the table of bounds lacks, each with the line to add."""
    prefix = f"{group}.{name}" if group in MULTIPLE else group
    found = []
    for key, value in leaves(node, prefix, private=False):
        if key != prefix and bounds_of(key) is None:
            line = f'"{key.removeprefix(group + ".")}": positive({value}),'
            found.append(
                f'{key} has no bounds. Add to BOUNDS["{group}"] in schema/bounds.py: {line}'
            )
    return found


def without_facts(group: str, name: str, node: dict) -> list[str]:
    """Return the facts that a choice must declare and does not, each with the line to add."""
    return [
        f"{group}={name} does not declare {fact}: {FACTS[fact].what}.\n"
        f"Add to configs/{group}/{name}.yaml _facts_: {{{fact}: <{FACTS[fact].kind}>}}"
        for fact in missing_facts(group, node)
    ]


@pytest.mark.parametrize(("group", "name", "node"), NODES)
def test_every_value_of_a_choice_has_bounds_that_allow_it(group, name, node):
    missing = without_bounds(group, name, node)
    assert not missing, "\n".join(missing)
    prefix = f"{group}.{name}" if group in MULTIPLE else group
    for key, value in leaves(node, prefix, private=False):
        if key != prefix and not (isinstance(value, str) and "${" in value):
            bounds = bounds_of(key)
            assert bounds.allows(value), f"{key}={value}"
            assert not isinstance(value, bool) or isinstance(bounds, Flag)


@pytest.mark.parametrize(("group", "name", "node"), NODES)
def test_every_choice_declares_its_facts(group, name, node):
    missing = without_facts(group, name, node)
    assert not missing, "\n".join(missing)
    check_facts(group, group, node)


@pytest.mark.parametrize("target", sorted({node["_target_"] for _, _, node in NODES}))
def test_choices_that_share_a_target_declare_the_same_facts(target):
    facts = [node.get("_facts_") for _, _, node in NODES if node["_target_"] == target]
    assert all(one == facts[0] for one in facts)


def test_missing_bounds_and_facts_of_a_new_choice_are_found(tmp_path):
    """The control: a loss without facts, with an option that only another group has."""
    path = tmp_path / "loss/my_loss.yaml"
    path.parent.mkdir()
    path.write_text("_target_: dlcourse.loss.my_loss.my_loss\n_partial_: true\nstep_size: 2.0\n")
    (node,) = nodes(path)
    (lacking,) = without_bounds("loss", "my_loss", node)
    assert lacking == (
        'loss.step_size has no bounds. Add to BOUNDS["loss"] in schema/bounds.py: '
        '"step_size": positive(2.0),'
    )
    missing = without_facts("loss", "my_loss", node)
    assert [line.split(": ")[0] for line in missing] == [
        f"loss=my_loss does not declare {name}"
        for name in ("task", "soft_targets", "multilabel", "outputs")
    ]
    assert "configs/loss/my_loss.yaml _facts_: {task: <one of classification, mul" in missing[0]
    node["_facts_"] = {"task": "classification", "soft_targets": False, "outputs": "softmax"}
    node["_facts_"]["multilabel"] = False
    assert without_facts("loss", "my_loss", node) == []


def test_every_key_of_the_whole_config_has_bounds(compose):
    for key, _ in leaves(compose()):
        if not key.split(".")[-1].startswith("_") and key not in MULTIPLE:
            assert bounds_of(key) is not None, key


def outside(bounds) -> list:
    """Return values that the bounds must refuse."""
    wrong = ["abc", [1, 2, 3, 4], float("nan"), float("inf"), True]
    if isinstance(bounds, Number):
        wrong += [bounds.low if bounds.above else bounds.low - 1]
        wrong += [bounds.high if bounds.below else bounds.high + 1]
        wrong += [(bounds.low + bounds.high) / 2 + 0.25] if bounds.whole else []
    if isinstance(bounds, Numbers):
        wrong.remove([1, 2, 3, 4])
        wrong += [[1] * (bounds.longest + 1)]
        wrong += [[bounds.each.low - 1] * max(bounds.shortest, 1)]
    if isinstance(bounds, Texts) and bounds.numbers:
        wrong[1] = [1.5]
    if isinstance(bounds, OneLine):
        wrong[0] = "two\nlines"
        wrong += ["x" * 501, ""]
    if isinstance(bounds, Tags):
        wrong[1] = ["two words"]
        wrong += [["a", "a"], [str(number) for number in range(21)], [None], [""]]
    if isinstance(bounds, OneOf):
        wrong += [bounds.names[0] + "x", 3]
    return [value for value in wrong if not (isinstance(bounds, Flag) and value is True)]


@pytest.mark.parametrize("key", [key for key in KEYS if key not in ANY_TEXT])
def test_a_value_out_of_bounds_is_refused_with_its_key_and_an_example(key):
    from dlcourse.schema.validate import brief, check_key

    bounds = bounds_of(key)
    if key in ("resume", "trust"):
        with pytest.raises(UserError, match=key):
            check_key(key, 5)
        return
    for value in outside(bounds):
        with pytest.raises(UserError) as caught:
            check_key(key, value)
        message = str(caught.value)
        assert key in message
        assert brief(value) in message
        assert str(bounds) in message
        close = (
            meant(value, bounds.names)
            if isinstance(value, str) and isinstance(bounds, OneOf)
            else []
        )
        assert f"{key}={close[0] if close else bounds.example}" in message
    typed = OverridesParser.create().parse_override(f"{key}={bounds.example}").value()
    assert bounds.allows(typed), f"the example {bounds.example} is not allowed itself"


OF_A_MACHINE = {("runtime", "cuda"), ("runtime", "mps")}

TRAINABLE = [
    (group, option)
    for group, option in CHOICES
    if group != "model" and option not in NEED_FILES and (group, option) not in OF_A_MACHINE
]


@pytest.mark.parametrize(("group", "option"), TRAINABLE)
def test_every_choice_trains(group, option, tiny, tmp_path):
    skip_without_aim(option)
    model = "lenet" if group == "optim" else "mlp"  # some optimizers treat filters differently
    overrides = [
        f"model={model}",
        *needs(group, option),
        override_for(group, option),
        "max_epochs=1",
    ]
    if option in ("from_run", "from_file"):
        run(tiny("model=mlp", "max_epochs=1"), tmp_path / "first")
        file = tmp_path / "first/checkpoints/best.pt"
        run_or_file = {"from_run": f"run={tmp_path / 'first'}", "from_file": f"file={file}"}
        overrides.append(f"init.{run_or_file[option]}")
    if option in ("group_kfold", "weighted"):
        overrides.append(f"data.root={a_table_with_groups(tmp_path)}")
    cfg = tiny(*overrides)
    check(cfg | {"batch_size": "full", "data": cfg["data"] | {"examples": None}})
    if option == "gd":
        cfg["data"]["examples"] = 30
    if option == "gates":
        cfg["data"]["examples"] = None  # there are only four
    for key in {"folds", "outer", "inner", "repeats"} & set(cfg["split"]):
        cfg["split"][key] = 2
    best = run(cfg, tmp_path / "run")
    assert best == best  # a number, not nan


@pytest.mark.parametrize(("group", "option"), [one for one in CHOICES if one not in TRAINABLE])
def test_a_choice_that_is_not_trained_here_passes_the_checks(group, option, compose, tmp_path):
    more = [f"data.root={tmp_path}"] if option == "image_folder" else []
    check(compose(*needs(group, option), override_for(group, option), *more))


@pytest.mark.parametrize("name", options("metric"))
def test_a_metric_reports_the_values_that_it_declares(name, compose):
    import torch

    from dlcourse.engine.instantiate import build

    regression = of_values(name)
    cfg = compose(*needs("metric", name), f"metric=[{name}]")
    metric = build(cfg["metric"][name], *NOT_ARGUMENTS["metric"])()
    outputs = torch.randn(6, 1 if regression else 3)
    targets = torch.randn(6, 1) if regression else torch.tensor([0, 1, 2, 0, 1, 2])
    if of_several_classes(name):
        targets = torch.nn.functional.one_hot(targets)
    values = metric.report(metric.measure(outputs, targets).double(), 6)
    declared = option_facts("metric", name)
    assert values.keys() == declared.get("reports", {}).keys() == declared.get("ranges", {}).keys()


@pytest.mark.parametrize("name", IMAGE_MODELS)
def test_the_declared_smallest_image_is_the_smallest_that_the_model_takes(name, compose):
    from dlcourse.engine.instantiate import build

    model, size = (
        build(compose(f"model={name}")["model"]),
        option_facts("model", name).get("smallest_image"),
    )
    reconstructs = option_facts("model", name).get("reconstructs")
    model((1, size, size), size**2 if reconstructs else 10)
    with pytest.raises(UserError, match=f"data.size={size}"):
        model((1, size - 1, size - 1), 10)


def test_the_sizes_known_to_the_checks_are_those_of_the_data(compose):
    from dlcourse.engine.datasets import load_data

    dataset = load_data(compose("data=digits"))
    known = sizes_of({"_target_": "dlcourse.data.digits.digits"})
    assert known == (len(dataset.train), len(dataset.classes))
