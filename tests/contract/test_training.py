"""Every model trains on every data set that fits it, with every activation, norm and pooling."""

import csv
from copy import deepcopy

import conftest
import pandas
import pytest
import torch
import yaml
from conftest import CONFIGS, option_facts, options
from PIL import Image

from dlcourse import atomic_files
from dlcourse.core import Fold
from dlcourse.data.cache import IMAGES_KEY
from dlcourse.data.transforms import standardize
from dlcourse.engine.assemble import make_recipe, make_state
from dlcourse.engine.datasets import load_data
from dlcourse.engine.instantiate import build as build_node
from dlcourse.engine.run import run
from dlcourse.errors import UserError
from dlcourse.schema.bounds import ACTIVATION_NAMES, NORM_NAMES, POOL_NAMES
from dlcourse.schema.facts import fact
from dlcourse.schema.validate import check

NARROW = {"width": 8, "hidden": 16}  # the largest nets then cost milliseconds
VIT = {"width": 24, "hidden": 16, "heads": 3, "depth": 2}
ELSEWHERE = ("function", "huggingface", "in_memory", "npz", "stl10", "svhn", "tiny_imagenet")
DATA = [data for data in options("data") if data not in ELSEWHERE]  # those are in tests/data
MODELS = options("model")
VALUES = {
    "activation": (*ACTIVATION_NAMES, "leaky_relu:0.2", "maxout:3"),
    "norm": NORM_NAMES, "pool": POOL_NAMES,
    "dropout": (0.0, 0.5),
    "skip": (True, False), "residual": (True, False), "positions": ("sinusoidal", "sinusoidal_1d"),
    "head": ("dense", "average"), "cell": ("rnn", "gru", "lstm"), "dilation": (1, 2),
    "padding": ("valid", "same"), "conv_activation": (True, False),
}  # fmt: skip


REFUSED = (("norm", "instance"), ("activation", "maxout"))  # by some models


@pytest.fixture(scope="session")
def all_data(tmp_path_factory, data_root):
    """Return a folder with a small version of every data set, made of scikit-learn's digits."""
    from sklearn.datasets import load_digits

    root = tmp_path_factory.mktemp("all_data")
    digits = torch.from_numpy(load_digits().images[:200] * 255 / 16).byte()
    grey = digits.repeat_interleave(3, 1).repeat_interleave(3, 2)  # (200, 24, 24)
    grey = torch.nn.functional.pad(grey, [2] * 4).unsqueeze(1)  # (200, 1, 28, 28)
    colour = torch.nn.functional.pad(grey, [2] * 4).expand(-1, 3, -1, -1).contiguous()
    sets = {"mnist": 10, "fashion_mnist": 10, "kmnist": 10, "emnist_balanced": 47}
    sets |= {"cifar10": 10, "cifar100": 100}
    for name, classes in sets.items():
        images = colour if name.startswith("cifar") else grey
        part = {IMAGES_KEY: images, "targets": torch.arange(200) % classes}
        content = {"train": part, "test": part, "classes": [str(n) for n in range(classes)]}
        (root / ".dlcourse").mkdir(exist_ok=True)
        atomic_files.save_checked(root / f".dlcourse/{name}.pt", content)
    for number, image in enumerate(grey[:60, 0]):
        for folder in ("images", "notMNIST_small"):
            place = root / folder / "ABCDEFGHIJ"[number % 10]
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image.numpy()).save(place / f"{number}.png")
    with open(root / "table.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["a", "b", "target"])
        rows.writerows([n % 7, n % 5, "yes" if n % 2 else "no"] for n in range(40))
    table = {"a": [n % 7 for n in range(40)], "target": [n % 2 for n in range(40)]}
    pandas.DataFrame(table).to_parquet(root / "table.parquet")
    return root


@pytest.fixture(scope="session")
def composed(all_data):
    """Return a function from overrides to the config of a run on these data."""

    def from_overrides(*overrides: str) -> dict:
        more = [f"data.root={all_data}", "runtime=cpu", "observe=[]"]
        more += ["data.folder=images"] if "data=image_folder" in overrides else []
        return conftest.composed(*overrides, *more)

    return from_overrides


@pytest.fixture(scope="session")
def dataset(composed):
    """Return a function from a name to the loaded data set."""
    from functools import cache

    return cache(lambda name: load_data(composed(f"data={name}")))


def narrow(cfg: dict) -> dict:
    """Return a config with a narrow model of the same class."""
    cfg = deepcopy(cfg)
    if "residual" in cfg["model"]:
        cfg["model"]["widths"] = [8, 8, 8]
    for key, value in (VIT if "heads" in cfg["model"] else NARROW).items():
        if key in cfg["model"]:
            cfg["model"][key] = value
    if cfg["model"]["_target_"] == "dlcourse.model.timm.Timm":
        cfg["model"]["name"] = "test_efficientnet"
    return cfg


def two_steps(cfg: dict, dataset, examples: int = 4) -> torch.nn.Module:
    """Take two training steps as the loop does; check that they change the model; return it."""
    some = torch.linspace(0, len(dataset.train) - 1, examples).long()  # of several classes
    train = dataset.train.subset(some)
    runtime = build_node(cfg["runtime"])()
    train = train.to(runtime.device)
    fold = Fold(".", train, None, standardize(train, "channel"))
    state = make_state(cfg, runtime, dataset)
    recipe = make_recipe(cfg, runtime, dataset, fold)
    before = {name: value.clone() for name, value in state.model.state_dict().items()}
    state.model.train()
    for _ in range(2):
        inputs = recipe.prepare(fold.standardize(train.inputs))
        outputs, loss = recipe.step(state, inputs, train.targets, recipe)
        assert outputs.shape == (examples, dataset.output_size)
        assert loss.isfinite()
    after = state.model.state_dict()
    assert any(not torch.equal(before[name], after[name]) for name in before)
    assert all(value.isfinite().all() for value in after.values())
    return state.model


def fits(cfg: dict) -> bool:
    """Return whether a config passes the checks that need no torch."""
    try:
        check(cfg)
    except UserError:
        return False
    return True


def together(composed, model: str, data: str) -> dict:
    """Return the config that ``data=... model=...`` composes."""
    if "@package _global_" in (CONFIGS / f"model/{model}.yaml").read_text():
        return composed(f"data={data}", f"model={model}")
    cfg = composed(f"data={data}")  # composing takes longer than most of the steps
    cfg["model"] = composed(f"model={model}")["model"]
    return cfg


DESIGNS = {}  # one config for each model class
for name in MODELS:
    text = (CONFIGS / f"model/{name}.yaml").read_text()
    DESIGNS.setdefault(next(w for w in text.split() if w.startswith("dlcourse.model.")), name)


def kind_of(data: str) -> tuple:
    """Return what a model sees of a data set: its inputs, its task and the number of classes."""
    own = yaml.safe_load((CONFIGS / f"data/{data}.yaml").read_text(encoding="utf-8"))
    own = own.get("data", own)  # a config of the whole run
    facts = option_facts("data", data)
    return facts["inputs"], facts["task"], facts.get("classes"), own.get("channels")


KINDS = {kind_of(data): data for data in reversed(DATA)}  # one data set of each kind
PAIRS = [
    *((model, data) for model in DESIGNS.values() for data in KINDS.values()),
    *((model, "cifar10") for model in MODELS if model not in DESIGNS.values()),
    *(("mlp", data) for data in DATA if data not in KINDS.values()),
]


@pytest.mark.parametrize(("model", "data"), PAIRS)
def test_a_model_trains_two_steps_on_every_kind_of_data_that_fits_it(
    model, data, composed, dataset
):
    cfg = together(composed, model, data)
    if fits(cfg):
        own = load_data(cfg) if cfg["data"]["reconstruct"] else dataset(data)
        two_steps(narrow(cfg), own)
    else:
        tables = "TABLE" if len(dataset(data).input_shape) == 1 else "IMAGES"
        regression = dataset(data).task == "regression"
        assert tables == "TABLE" or regression, "every model takes images of 28 and 32 pixels"


@pytest.mark.parametrize("model", MODELS)
def test_a_model_trains_two_steps_at_its_full_size(model, composed, dataset):
    cfg = together(composed, model, "digits")
    own = load_data(cfg) if cfg["data"]["reconstruct"] else dataset("digits")
    assert two_steps(cfg, own, examples=2).training


@pytest.mark.parametrize("model", DESIGNS.values())
def test_a_model_class_trains_with_every_value_of_every_option(model, composed, dataset):
    base = narrow(together(composed, model, "cifar10"))
    if base["model"].get("depth", 0) >= 20:
        base["model"]["depth"] = 8
    own = load_data(base) if base["data"]["reconstruct"] else dataset("cifar10")
    for key, values in VALUES.items():
        for value in values if key in base["model"] else ():
            cfg = deepcopy(base)
            cfg["model"][key] = value
            if key == "activation" and "activation" in cfg["init"]:
                cfg["init"]["activation"] = value
            if fits(cfg):
                two_steps(cfg, own)
            else:
                assert (key, value.split(":")[0]) in REFUSED, "a value that no rule may refuse"


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no NVIDIA GPU")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("model", DESIGNS.values())
def test_a_model_class_trains_on_a_gpu(model, precision, composed, dataset):
    cfg = narrow(together(composed, model, "digits"))
    cfg["runtime"]["device"], cfg["runtime"]["precision"] = "cuda", precision
    own = load_data(cfg) if cfg["data"]["reconstruct"] else dataset("digits")
    assert two_steps(cfg, own).training


@pytest.mark.parametrize("model", DESIGNS.values())
def test_a_model_class_trains_in_bf16_with_float32_weights(model, composed, dataset):
    cfg = narrow(together(composed, model, "digits"))
    cfg["runtime"]["precision"] = "bf16"
    own = load_data(cfg) if cfg["data"]["reconstruct"] else dataset("digits")
    weights = two_steps(cfg, own).parameters()
    assert {weight.dtype for weight in weights} == {torch.float32}


@pytest.mark.parametrize(
    "model",
    [name for name in DESIGNS.values() if option_facts("model", name).get("smallest_image")],
)
def test_with_every_norm_the_outputs_for_the_smallest_images_depend_on_the_images(model, composed):
    """A norm over a single value gives 0 for every image, or torch refuses it."""
    base = narrow(together(composed, model, "digits"))
    if base["model"].get("depth", 0) >= 20:
        base["model"]["depth"] = 8
    side = fact(base["model"], "smallest_image")
    for norm in NORM_NAMES if "norm" in base["model"] else ():
        base["model"]["norm"] = norm
        outputs = side**2 if fact(base["model"], "reconstructs") else 10
        net = build_node(base["model"])((1, side, side), outputs).train()
        first = net(torch.rand(2, 1, side, side))
        assert first.isfinite().all()
        assert not torch.equal(first, net(torch.rand(2, 1, side, side)))


@pytest.mark.parametrize(
    ("examples", "overrides", "trains"),
    [
        (1, [], False),
        (1, ["batch_size=full"], False),
        (1, ["model.norm=layer"], True),
        (1, ["optim.freeze=[hidden.*]"], True),
        (2, [], True),
        (5, ["batch_size=2"], True),
    ],
)
def test_a_batch_norm_with_a_batch_of_one_example_is_refused_before_training(
    examples, overrides, trains, composed, tmp_path
):
    """Each part has ``examples`` rows; a last batch of one row is merged with the one before."""
    rows = [f"{n},{n % 3},{n % 2}" for n in range(3 * examples)]
    (tmp_path / "table.csv").write_text("\n".join(["a,b,target", *rows, ""]))
    own = ["data=csv", "data.test_fraction=0.34", "split.fraction=0.5", "model.norm=batch"]
    cfg = composed(*own, "max_epochs=2", *overrides)
    cfg["data"]["root"] = str(tmp_path)
    if trains:
        run(cfg, tmp_path / "run")
        return
    with pytest.raises(UserError, match=r"hidden\.1 .*one example(.|\n)*Type a smaller split"):
        run(cfg, tmp_path / "run")
    assert not (tmp_path / "run/history.jsonl").exists()
