"""torchvision's networks: published weights, a new output layer, frozen parts."""

import hashlib
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
import torch
from conftest import prepared
from torch import nn
from torch.nn import functional as F

from dlcourse.engine.instantiate import build
from dlcourse.errors import UserError
from dlcourse.train.fit import train_epoch
from dlcourse.train.step import set_train_mode

NAME = "shufflenet_v2_x0_5"  # 1.4 million weights
OVERRIDES = ["model=torchvision", f"model.name={NAME}"]


def make(compose, *overrides, shape=(1, 28, 28)):
    return build(compose(*OVERRIDES, *overrides)["model"])(shape, 10)


@pytest.fixture
def published(tmp_path, monkeypatch):
    """Serve weights as torchvision publishes them, with their SHA-256 in the file's name.

    Returns the network with these weights, the file, and a function that publishes a file.
    """
    from torchvision import models

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    net = models.get_model(NAME)
    folder = tmp_path / "published"
    folder.mkdir()
    torch.save(net.state_dict(), folder / "weights")
    digest = hashlib.sha256((folder / "weights").read_bytes()).hexdigest()[:8]
    file = (folder / "weights").rename(folder / f"shufflenet-{digest}.pth")
    handler = partial(SilentHandler, directory=folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever)
    thread.start()

    def publish(path):
        default = models.get_model_weights(NAME).DEFAULT.value
        monkeypatch.setattr(default, "url", f"http://127.0.0.1:{server.server_port}/{path.name}")

    publish(file)
    yield net, file, publish
    server.shutdown()
    thread.join()
    server.server_close()


class SilentHandler(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


def in_place(file, tmp_path):
    """Return where torchvision stores a downloaded file."""
    return tmp_path / "home/hub/checkpoints" / file.name


@pytest.mark.parametrize("weights", ["DEFAULT", "IMAGENET1K_V1"])
def test_weights_are_downloaded_verified_and_cached(weights, published, compose, tmp_path):
    net, file, _ = published
    model = make(compose, f"model.weights={weights}")
    ours = model.backbone.state_dict()
    assert all(torch.equal(ours[name], net.state_dict()[name]) for name in ours)
    assert ours.keys() == net.state_dict().keys() - {"fc.weight", "fc.bias"}
    assert in_place(file, tmp_path).read_bytes() == file.read_bytes()
    file.unlink()
    make(compose, f"model.weights={weights}")  # from the cached file


def test_random_weights_need_no_file(published, compose, tmp_path):
    net, *_ = published
    model = make(compose, "model.weights=null")
    assert not torch.equal(model.backbone.conv1[0].weight, net.conv1[0].weight)
    assert not (tmp_path / "home").exists()


def test_a_failed_download_of_weights_says_where_to_put_the_file(published, compose, tmp_path):
    _, file, _ = published
    kept = file.rename(tmp_path / file.name)
    with pytest.raises(UserError) as caught:
        make(compose, "model.weights=DEFAULT")
    for text in (file.name, "404", str(tmp_path / "home/hub/checkpoints"), "model.weights=null"):
        assert text in str(caught.value)
    assert "TORCH_HOME" in str(caught.value)
    in_place(file, tmp_path).parent.mkdir(parents=True, exist_ok=True)
    kept.rename(in_place(file, tmp_path))
    make(compose, "model.weights=DEFAULT")


def test_a_download_with_another_checksum_is_refused(published, compose, tmp_path):
    _, file, publish = published
    other = file.rename(file.with_name("shufflenet-01234567.pth"))
    publish(other)
    with pytest.raises(UserError, match="invalid hash"):
        make(compose, "model.weights=DEFAULT")
    assert not in_place(other, tmp_path).exists()


def test_a_damaged_weights_file_is_named(published, compose, tmp_path):
    _, file, _ = published
    place = in_place(file, tmp_path)
    place.parent.mkdir(parents=True)
    for content in (file.read_bytes()[:1_000_000], b"", b"no weights"):
        place.write_bytes(content)
        with pytest.raises(UserError, match=r"(?s)is damaged.*Delete it") as caught:
            make(compose, "model.weights=DEFAULT")
        assert str(place) in str(caught.value)


def test_unknown_names_are_refused_with_the_nearest(compose):
    with pytest.raises(UserError, match="did you mean resnet18"):
        build(compose("model=torchvision", "model.name=resnet81")["model"])((3, 32, 32), 10)
    with pytest.raises(UserError, match="DEFAULT, IMAGENET1K_V1"):
        make(compose, "model.weights=IMAGENET1K")


@pytest.mark.parametrize(
    ("name", "size"),
    [("googlenet", "null"), ("inception_v3", "75"), ("squeezenet1_1", "null"), ("vit_b_32", "224")],
)
def test_networks_of_every_structure_get_a_new_output_layer(name, size, compose):
    overrides = ["model=torchvision", f"model.name={name}", f"model.size={size}"]
    model = build(compose(*overrides)["model"])((1, 32, 32), 7).train()
    outputs = model(torch.randn(2, 1, 32, 32))  # in training mode some have auxiliary outputs
    assert outputs.shape == (2, 7)
    last = list(model.modules())[-1]
    assert isinstance(last, nn.Linear)
    assert last is model.output
    names = [key for key in model.state_dict() if key.startswith(("backbone.aux", "backbone.Aux"))]
    assert names == []


def test_images_that_are_too_small_are_refused_with_the_size_to_choose(compose):
    overrides = ["model=torchvision", "model.name=inception_v3"]
    with pytest.raises(UserError, match=r"cannot take images of 28 x 28(?s:.*)model\.size=299"):
        build(compose(*overrides)["model"])((1, 28, 28), 10)
    with pytest.raises(UserError, match=r"1 or 3 channels, got 2"):
        make(compose, shape=(2, 28, 28))


def test_images_are_resized_and_grey_images_get_three_equal_channels(compose):
    images = torch.randn(2, 1, 28, 28)
    model = make(compose, "model.size=56").eval()
    colours = F.interpolate(images.repeat(1, 3, 1, 1), (56, 56), mode="bilinear")
    expected = model.backbone(colours)
    torch.testing.assert_close(model.features(images), expected, atol=1e-5, rtol=1e-5)


def trained_names(model):
    """Train two steps and return the names of the weights and statistics that changed."""
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.train()
    set_train_mode(model)
    trainable = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.SGD(trainable, lr=0.1, weight_decay=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        F.cross_entropy(model(torch.randn(4, 1, 64, 64)), torch.arange(4)).backward()
        optimizer.step()
    return {
        name for name, value in model.state_dict().items() if not torch.equal(value, before[name])
    }


def test_a_frozen_backbone_keeps_its_weights_and_batch_statistics(compose):
    shape = (1, 64, 64)
    model = make(compose, "model.freeze=backbone", shape=shape)
    assert trained_names(model) == {"output.weight", "output.bias"}
    free = trained_names(make(compose, "model.freeze=none", shape=shape))
    assert len(free) > 200, "the control: all weights and statistics"


def test_single_examples_are_refused_unless_the_batch_norms_are_frozen(tiny):
    overrides = [*OVERRIDES, "batch_size=1", "data.examples=20"]
    with pytest.raises(UserError, match="batch_size=1 leaves nothing to average"):
        prepared(tiny(*overrides))
    state, fold, recipe = prepared(tiny(*overrides, "model.freeze=backbone"))
    assert train_epoch(state, fold, recipe)["train/loss"] > 0


def test_the_first_blocks_can_be_frozen(compose):
    parts = ["conv1", "stage2", "stage3", "stage4", "conv5"]
    for count in (0, 2, 5):
        model = make(compose, f"model.freeze={count}", shape=(1, 64, 64))
        names = [name for name in trained_names(model) if name.startswith("backbone")]
        assert {name.split(".")[1] for name in names} == set(parts[count:])
    with pytest.raises(UserError, match=r"has 5 blocks, got model\.freeze=6"):
        make(compose, "model.freeze=6")


def test_the_blocks_inside_a_container_are_counted_individually(compose):
    overrides = ["model=torchvision", "model.name=squeezenet1_1", "model.freeze=4"]
    model = build(compose(*overrides)["model"])((1, 28, 28), 10)
    frozen = [n for n, w in model.backbone.named_parameters() if not w.requires_grad]
    assert {name.split(".")[1] for name in frozen} == {"0", "3", "4", "6"}  # a convolution, 3 fires


def saved(net, tmp_path, name="weights.pth"):
    torch.save(net.state_dict(), tmp_path / name)
    return f"model.weights={tmp_path / name}"


def test_a_file_of_weights_is_read_and_keeps_its_output_layer(compose, tmp_path):
    from torchvision import models

    net = models.get_model(NAME, num_classes=10).eval()
    model = make(compose, saved(net, tmp_path), shape=(3, 64, 64)).eval()
    images = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(model(images), net(images))
    assert model.origin == "338 of 338 tensors from weights.pth"


def test_a_file_with_other_classes_gets_a_new_output_layer(compose, tmp_path):
    from torchvision import models

    net = models.get_model(NAME, num_classes=7)
    model = make(compose, saved(net, tmp_path), shape=(3, 64, 64))
    assert torch.equal(model.backbone.conv1[0].weight, net.conv1[0].weight)
    assert "a new output layer (output.bias, output.weight)" in model.origin
    assert model.output.weight.shape[0] == 10
    overrides = ["model=torchvision", "model.name=squeezenet1_1", saved(net, tmp_path)]
    other = build(compose(*overrides)["model"])
    with pytest.raises(UserError, match="0 of its tensors do"):
        other((3, 64, 64), 10)


@pytest.mark.parametrize("name", ["squeezenet1_1", "googlenet"])
def test_unusual_output_layers_are_read_from_a_file(name, compose, tmp_path):
    from torchvision import models

    net = (
        models.get_model(name, num_classes=10, init_weights=False)
        if name == "googlenet"
        else (models.get_model(name, num_classes=10))
    )
    overrides = ["model=torchvision", f"model.name={name}", saved(net, tmp_path)]
    model = build(compose(*overrides)["model"])((3, 64, 64), 10).eval()
    images = torch.randn(2, 3, 64, 64)
    expected = net.eval()(images)
    if name == "squeezenet1_1":  # its own output layer is followed by a ReLU
        assert torch.equal(model.output.weight, net.classifier[1].weight.flatten(1))
    else:
        torch.testing.assert_close(model(images), expected)
