"""``dlcourse look what=boundary,fit,mistakes,weights,augmentations``: compared with the run."""

import numpy as np
import pytest
import torch

from dlcourse.api.run import Run
from dlcourse.engine.run import run
from dlcourse.errors import UserError
from dlcourse.look.boundary import chosen_features
from dlcourse.look.mistakes import each_loss, entropy, labels_before_noise
from dlcourse.look.registry import NotApplicableError
from dlcourse.look.request import read_request
from dlcourse.look.run_parts import run_parts
from dlcourse.look.subject import drawings, open_subject
from dlcourse.look.weights import weights_by_layer

GENERATED = ["data.train_examples=100", "data.test_examples=40"]
RUNS = {
    "moons": ["data=moons", "model=kernel", "model.width=50", "loss=hinge", *GENERATED],
    "blobs": ["data=blobs", "model=mlp", *GENERATED],
    "sine": ["data=sine", "model=polynomial", "model.order=3", "optim=closed_form", *GENERATED],
    "linear": ["data=linear", "model=linear", "optim=closed_form", *GENERATED],
    "noisy": ["data.examples=200", "model=linear", "data.random_labels=0.2", "augment=[flip]",
              "max_epochs=15"],
    "table": ["data=csv", "data.target=answer"],
}  # fmt: skip


@pytest.fixture(scope="module")
def folders(tmp_path_factory, data_root):
    """Return the folders of small runs of every kind of data."""
    from dlcourse.schema.compose import compose_job, without_hydra

    place = tmp_path_factory.mktemp("examples")
    draws = np.random.default_rng(0).normal(size=(60, 4))
    rows = [f"{a:.3f},{b:.3f},{c:.3f},{'yes' if d > 0 else 'no'}" for a, b, c, d in draws]
    (place / "table.csv").write_text("\n".join(["alpha,beta,gamma,answer", *rows]))
    for name, overrides in RUNS.items():
        root = place if name == "table" else data_root
        common = [f"data.root={root}", "max_epochs=3", "runtime=cpu", "observe=[history]"]
        run(without_hydra(compose_job([*common, *overrides], None)), place / name)
    return {name: place / name for name in RUNS}


def looked(folder, what, **typed):
    """Return the opened run and what is drawn of it."""
    request = read_request(folder, what, typed)
    subject = open_subject(request)
    return subject, drawings(subject, what, request.options[what])


def test_the_regions_are_the_predictions_of_the_run(folders):
    subject, (drawing,) = looked(folders["blobs"], "boundary", points=16)
    axes = drawing.figures[0].axes[0]
    (image,) = axes.get_images()
    x, y = (np.linspace(*sorted(limits), 16) for limits in (axes.get_xlim(), axes.get_ylim()))
    points = torch.tensor([[a, b] for b in y for a in x], dtype=torch.float32)
    predicted = Run(folders["blobs"]).predict(points).argmax(1).view(16, 16)
    shades = image.get_array().reshape(256, 3)
    for number in predicted.unique().tolist():
        own = np.asarray(shades[(predicted == number).flatten().numpy()])
        assert len({tuple(np.argsort(shade)) for shade in own}) == 1  # one hue for each class
    correct = int((Run(folders["blobs"]).predict(subject.test.inputs).argmax(1)
                   == subject.test.targets).sum())  # fmt: skip
    assert drawing.seen.startswith(f"{correct} of 40 test examples are correct")


def test_the_decision_function_counts_the_examples_with_a_hinge_loss(folders):
    subject, (_, drawing) = looked(folders["moons"], "boundary", points=16)
    train = run_parts(subject).fold.train
    scores = subject.outputs(train.inputs)
    signed = (scores[:, 1] - scores[:, 0]) * (2 * train.targets - 1)
    inside, wrong = int((signed < 1).sum()), int((signed <= 0).sum())
    assert f"{inside} of 80 training examples" in drawing.seen
    assert f"({wrong} are wrong)" in drawing.seen


def test_a_table_of_three_features_is_drawn_as_a_slice(folders):
    _, (drawing,) = looked(folders["table"], "boundary", features="alpha,2", points=8)
    title = drawing.figures[0].axes[0].get_title(loc="left")
    assert "1 other features are at their mean" in title
    with pytest.raises(NotApplicableError, match=r"(?s)has 3: alpha, beta, gamma.*features="):
        looked(folders["table"], "boundary")
    with pytest.raises(UserError, match="delta is not a feature"):
        looked(folders["table"], "boundary", features="alpha,delta")


def test_features_are_chosen_by_name_or_number():
    assert chosen_features(["a", "b", "c"], "[c, 0]") == (2, 0)
    assert chosen_features(["a", "b"], "") == (0, 1)
    for wrong in ("a", "a,a", "a,b,c"):
        with pytest.raises(UserError, match="two different features"):
            chosen_features(["a", "b", "c"], wrong)


@pytest.mark.parametrize(
    ("name", "what", "reason"),
    [
        ("sine", "boundary", "is a regression"),
        ("noisy", "boundary", "an input here is 1 x 28 x 28"),
        ("moons", "fit", "has classes"),
        ("linear", "fit", "maps 3 values to 1"),
        ("sine", "mistakes", "is a regression"),
        ("moons", "augmentations", "no augmentations"),
    ],
)
def test_what_a_run_does_not_have_is_refused_with_the_reason(folders, name, what, reason):
    with pytest.raises(NotApplicableError, match=reason):
        looked(folders[name], what)


def test_the_fitted_curve_and_its_noise_are_those_of_the_predictions(folders):
    subject, (drawing,) = looked(folders["sine"], "fit")
    train = run_parts(subject).fold.train
    residuals = Run(folders["sine"]).predict(train.inputs) - train.targets
    noise = float(residuals.double().square().mean().sqrt())
    assert f"error {noise:.3g} on the training part" in drawing.seen
    axes = drawing.figures[0].axes[0]
    (curve,) = [line for line in axes.get_lines() if line.get_label() == "fitted curve"]
    x = torch.tensor(curve.get_xdata(), dtype=torch.float32)[:, None]
    assert curve.get_ydata() == pytest.approx(Run(folders["sine"]).predict(x)[:, 0].numpy())
    assert len(axes.collections) == 1
    _, (without,) = looked(folders["sine"], "fit", noise=False)
    assert not without.figures[0].axes[0].collections


def test_the_weights_of_a_linear_model_are_next_to_the_true_ones(folders):
    _, (drawing,) = looked(folders["linear"], "weights")
    assert "from the true weights" in drawing.seen
    assert drawing.seen.startswith("t1: x1 2")


def test_weights_near_zero_are_counted_without_biases():
    net = torch.nn.Linear(4, 2)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[0.0, 1e-4, -5e-4, 1.0], [0.5, -2.0, 3.0, 1e-3]]))
        net.bias.zero_()
    (layer,) = weights_by_layer(net, 1e-3)
    assert layer.values.size == 8
    assert layer.near_zero == 3 / 8


def test_images_have_templates_and_a_histogram(folders):
    _, (histogram, templates) = looked(folders["noisy"], "weights")
    assert "7,840 weights in 1 layer" in histogram.seen
    assert "28 x 28 weights for each of 10 outputs" in templates.seen


def test_most_of_the_largest_training_losses_have_a_wrong_label(folders):
    subject, (drawing,) = looked(folders["noisy"], "mistakes", by="loss", most=10)
    parts = run_parts(subject)
    before, train = labels_before_noise(subject, parts, "train"), parts.fold.train
    changed = before != train.targets
    assert 0.1 < changed.double().mean() < 0.25
    outputs = subject.outputs(train.inputs).detach()
    losses = torch.nn.functional.cross_entropy(outputs, train.targets, reduction="none")
    worst = losses.argsort(descending=True)[:10]
    count = int(changed[worst].sum())
    assert count >= 6
    assert f"{count} of the 10 shown have a wrong label" in drawing.seen
    assert each_loss(outputs, train.targets, parts) == pytest.approx(losses, rel=1e-5)


def images_in(drawing) -> int:
    """Return the number of images in a drawing."""
    return sum(len(axes.get_images()) for axes in drawing.figures[0].axes)


def test_mistakes_are_wrong_and_of_the_chosen_classes(folders):
    subject, (drawing,) = looked(folders["noisy"], "mistakes", most=200)
    predicted = Run(folders["noisy"]).predict(subject.test.inputs).argmax(1)
    wrong = int((predicted != subject.test.targets).sum())
    assert drawing.seen.startswith(f"{wrong} of 360 test examples are wrong")
    assert images_in(drawing) == min(wrong, 200)
    pairs = zip(subject.test.targets.tolist(), predicted.tolist(), strict=True)
    true, given = next((a, b) for a, b in pairs if a != b)
    both = (subject.test.targets == true) & (predicted == given)
    _, (of_pair,) = looked(folders["noisy"], "mistakes", true=true, predicted=given, most=200)
    assert images_in(of_pair) == int(both.sum())
    either = (predicted != subject.test.targets) & (
        (subject.test.targets == true) | (predicted == true)
    )
    _, (of_class,) = looked(folders["noisy"], "mistakes", **{"class": true}, most=200)
    assert images_in(of_class) == int(either.sum())


def test_a_pair_without_mistakes_is_named(folders):
    with pytest.raises(
        NotApplicableError, match="no mistake in the test part with true=0 predicted=0"
    ):
        looked(folders["noisy"], "mistakes", true=0, predicted=0)


def test_the_least_certain_examples_have_the_largest_entropy(folders):
    outputs = torch.tensor([[5.0, 0.0], [0.0, 0.0], [1.0, 0.0]])
    assert entropy(outputs).argsort(descending=True).tolist() == [1, 2, 0]
    assert float(entropy(outputs)[1]) == pytest.approx(np.log(2))
    for name in ("moons", "table"):
        _, (drawing,) = looked(folders[name], "mistakes", by="uncertainty", part="val", most=5)
        assert "validation examples are wrong" in drawing.seen


def test_the_augmentations_are_those_of_the_run(folders):
    _, (drawing,) = looked(folders["noisy"], "augmentations", examples=2, draws=3)
    assert len(drawing.figures[0].axes) == 2 * 4
    first, *others = [axes.get_images()[0].get_array() for axes in drawing.figures[0].axes[:4]]
    for other in others:
        assert (other == first).all() or (other == first[:, ::-1]).all()


def test_a_message_about_a_class_names_the_option(folders):
    with pytest.raises(UserError, match=r"(?s)true=cat is not there.*Type true=<name>"):
        read_request(folders["noisy"], "mistakes", {"true": "cat"})
    with pytest.raises(UserError, match="class=cat is not there"):
        read_request(folders["noisy"], "mistakes", {"class": "cat"})
