"""Every ``what`` on several models: it draws, or says why not, and changes nothing else."""

import hashlib
import random
from functools import partial

import numpy as np
import pytest
import torch
from conftest import TINY, composed
from matplotlib.figure import Figure

from dlcourse.drawing.files import figure_bytes
from dlcourse.engine.run import run
from dlcourse.look.draw import draw
from dlcourse.look.maps import never_active
from dlcourse.look.registry import WHATS, NotApplicableError
from dlcourse.look.request import read_request
from dlcourse.look.subject import drawings, open_subject
from dlcourse.schema.run_files import LOOKS
from dlcourse.train.rng import rng_states

RUNS = {
    "lenet": ["model=lenet"],
    "resnet": ["model=resnet20", "model.width=4"],
    "vit": ["model=vit", "model.width=12", "model.depth=2", "model.hidden=8", "model.patch=7"],
    "mlp": ["model=mlp", "model.widths=[8]"],
    "rnn": ["model=rnn", "model.hidden=8"],
    "autoencoder": ["model=autoencoder", "model.hidden=5", "data.reconstruct=true"],
    "moons": ["data=moons", "data.examples=null", "data.train_examples=40", "model=mlp"],
}
FAST = {
    "examples": 6, "steps": 2, "octaves": 2, "patch": 14, "stride": 14, "points": 3, "most": 4,
}  # fmt: skip
DRAWN = {
    "lenet": {"filters", "maps", "activations", "saliency", "integrated_gradients", "gradcam",
              "occlusion", "maximise", "dream"},
    "resnet": {"filters", "maps", "gradcam", "dream", "saliency"},
    "vit": {"attention", "positions", "activations", "occlusion", "filters"},
    "mlp": {"filters", "activations", "saliency", "maximise", "occlusion"},
    "rnn": {"activations", "saliency", "maximise"},
    "autoencoder": {"filters", "activations", "maximise"},
    "moons": {"activations"},
}  # fmt: skip
MISSING = {
    "lenet": {"attention", "positions"},
    "resnet": {"attention", "positions"},
    "vit": set(),
    "mlp": {"maps", "gradcam", "dream", "attention", "positions"},
    "rnn": {"filters", "maps", "attention"},
    "autoencoder": {"maps", "gradcam", "saliency", "attention"},
    "moons": {"filters", "maps", "saliency", "occlusion", "maximise", "dream"},
}


def options_of(what):
    return {name: value for name, value in FAST.items() if name in WHATS[what].options}


@pytest.fixture(scope="module")
def trained(tmp_path_factory, data_root):
    """Return a function from the name of a run to its folder; it is trained once."""
    folders = {}

    def folder_of(name):
        if name not in folders:
            folders[name] = tmp_path_factory.mktemp(name) / "run"
            tiny = composed(f"data.root={data_root}", *TINY, *RUNS[name])
            run(tiny, folders[name])
        return folders[name]

    return folder_of


def digest(folder):
    """Return a digest of every file of a run but those that ``dlcourse look`` writes."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and LOOKS not in path.parts and ".look-" not in path.name
    }


def plain(states):
    return {
        name: str(value) if name != "torch" else value.tolist() for name, value in states.items()
    }


@pytest.mark.parametrize("name", RUNS)
def test_every_what_draws_or_says_why_not_and_changes_nothing(name, trained):
    folder = trained(name)
    before = digest(folder)
    requests = {what: read_request(folder, what, options_of(what)) for what in WHATS}
    torch.manual_seed(5), np.random.seed(6), random.seed(7)
    states = plain(rng_states())
    subject = open_subject(requests["filters"])
    weights = {key: value.clone() for key, value in subject.network.state_dict().items()}
    drawn, reasons = set(), {}
    for what, request in requests.items():
        try:
            made = drawings(subject, what, request.options[what])
        except NotApplicableError as error:
            reasons[what] = str(error)
            continue
        drawn.add(what)
        for drawing in made:
            assert drawing.figures
            assert all(isinstance(figure, Figure) for figure in drawing.figures)
            assert "nan" not in drawing.seen
            assert "\n" not in drawing.seen
        assert len({drawing.name for drawing in made}) == len(made)
    assert drawn >= DRAWN[name], DRAWN[name] - drawn
    assert reasons.keys() >= MISSING[name], MISSING[name] - reasons.keys()
    assert all(f"what={what}" in reason for what, reason in reasons.items())
    assert plain(rng_states()) == states
    assert digest(folder) == before
    after = subject.network.state_dict()
    assert all(torch.equal(value, after[key]) for key, value in weights.items())
    assert not subject.network.training
    hooks = [m for m in subject.network.modules() if m._forward_hooks or m._backward_hooks]
    assert not hooks


def test_the_same_look_is_the_same_image_to_the_last_bit(trained):
    folder = trained("lenet")
    look = partial(draw, folder, "maximise", steps=3)
    ((_, first),), ((_, second),) = look(), look()
    assert figure_bytes(first) == figure_bytes(second)
    ((_, other),) = draw(folder, "maximise", steps=3, seed=1)
    assert figure_bytes(first) != figure_bytes(other)


def test_the_figures_of_several_whats_come_in_their_order(trained):
    found = draw(trained("lenet"), "maps,filters", layer="features.3", examples=2)
    assert [name for name, _ in found] == ["features.3", "features.3"]
    assert "16 maps of 10 x 10" in found[0][1].get_suptitle()
    assert "16 filters of 6 x 5 x 5" in found[1][1].get_suptitle()


def test_the_maps_are_those_that_the_layer_computes_of_the_named_images(trained):
    folder = trained("lenet")
    request = read_request(folder, "maps", {"images": "4,2", "layer": "features.4"})
    subject = open_subject(request)
    (drawing,) = drawings(subject, "maps", request.options["maps"])
    model, inputs = subject.opened.model, subject.test.inputs[[4, 2]]
    with torch.no_grad():
        maps = model.standardize(inputs)
        for layer in list(model.network.features)[:5]:
            maps = layer(maps)
    panels = [axes.get_images()[0].get_array() for axes in drawing.figures[0].axes]
    assert len(panels) == 2 * (1 + 16)
    np.testing.assert_allclose(panels[1], maps[0, 0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(panels[17 + 16], maps[1, 15], rtol=1e-4, atol=1e-5)
    labels = [axes.get_xlabel() for axes in drawing.figures[0].axes]
    assert labels[0].startswith("test 4\n")
    assert labels[17].startswith("test 2\n")


def test_the_features_of_an_autoencoder_are_the_rows_of_its_hidden_layer(trained):
    ((name, figure),) = draw(trained("autoencoder"), "filters")
    assert name == "hidden"
    subject = open_subject(read_request(trained("autoencoder"), "filters", {}))
    weight = subject.network.hidden.weight.view(5, 28, 28)
    panels = [axes.get_images()[0].get_array() for axes in figure.axes]
    np.testing.assert_array_equal(np.stack(panels), weight.numpy())


def test_the_maps_that_are_never_active_are_counted_in_words():
    assert never_active(0) == "each above 0 somewhere"
    assert never_active(2) == "2 of them nowhere above 0"
