"""``dlcourse look what=embedding``: the features are those of the layer, in the right order."""

import numpy as np
import pytest
import torch

from dlcourse.engine.run import run
from dlcourse.errors import UserError
from dlcourse.look.embedding import features_at, labels_of, layer_features
from dlcourse.look.registry import NotApplicableError
from dlcourse.look.request import read_request
from dlcourse.look.subject import drawings, open_subject

RUNS = {
    "images": ["data.examples=100", "model=lenet"],
    "values": ["data=linear", "data.train_examples=40", "data.test_examples=12", "model=linear"],
    "autoencoder": ["data.examples=60", "model=autoencoder", "model.hidden=5",
                    "data.reconstruct=true"],
}  # fmt: skip


@pytest.fixture(scope="module")
def folders(tmp_path_factory, data_root):
    """Return the folders of a classifier of images, a regression and an autoencoder."""
    from dlcourse.schema.compose import compose_job, without_hydra

    place = tmp_path_factory.mktemp("embeddings")
    for name, overrides in RUNS.items():
        common = [f"data.root={data_root}", "max_epochs=2", "runtime=cpu", "observe=[history]"]
        run(without_hydra(compose_job([*overrides, *common], None)), place / name)
    return {name: place / name for name in RUNS}


def opened(folder, **typed):
    """Return a run opened for ``embedding`` with its options."""
    request = read_request(folder, "embedding", {"examples": 40, **typed})
    return open_subject(request), request.options["embedding"]


def test_the_output_layer_applied_to_the_features_gives_the_outputs(folders):
    subject, options = opened(folders["images"])
    index = subject.mixed_order(options)
    layer, inputs = features_at(subject, "")
    features = layer_features(subject, layer, index, inputs=inputs)
    expected = subject.outputs(subject.test.inputs[index])
    assert torch.allclose(layer.module(features), expected, atol=1e-5)
    targets, classes = labels_of(subject, index)
    assert (targets == subject.test.targets[index].numpy()).all()
    assert classes == subject.classes


@pytest.mark.parametrize("method", ["pca", "tsne", "both"])
def test_each_method_is_a_panel_and_its_numbers_are_in_the_line(folders, method):
    subject, options = opened(folders["images"], method=method, thumbnails=True)
    (drawing,) = drawings(subject, "embedding", options)
    assert len(drawing.figures[0].axes) == (2 if method == "both" else 1)
    assert ("PCA" in drawing.seen) == (method != "tsne")
    assert ("t-SNE" in drawing.seen) == (method != "pca")
    assert drawing.seen.startswith("inputs of classifier.4, 84 features of 40 test examples")


def test_a_layer_is_chosen_by_name_and_an_unknown_one_lists_all(folders):
    subject, options = opened(folders["images"], layer="features.0", method="pca")
    (drawing,) = drawings(subject, "embedding", options)
    assert "features.0, " in drawing.seen
    with pytest.raises(UserError, match=r"(?s)layer=foo is not there.*classifier\.4"):
        drawings(subject, "embedding", {**options, "layer": "foo"})


def test_a_regression_is_coloured_by_its_values_and_thumbnails_are_refused(folders):
    subject, options = opened(folders["values"], method="pca", examples=12)
    (drawing,) = drawings(subject, "embedding", options)
    assert "R2 of the mean of 5 nearest neighbours" in drawing.seen
    with pytest.raises(NotApplicableError, match="images"):
        drawings(subject, "embedding", {**options, "thumbnails": True})
    with pytest.raises(NotApplicableError, match="at least 5"):
        drawings(subject, "embedding", {**options, "examples": 4})


def test_an_autoencoder_shows_its_narrowest_layer_with_the_classes_of_the_data(folders):
    subject, options = opened(folders["autoencoder"])
    layer, inputs = features_at(subject, "")
    assert layer.shape == (5,)
    assert not inputs
    targets, classes = labels_of(subject, subject.mixed_order(options))
    assert len(classes) == 10
    assert len(np.unique(targets)) > 5
