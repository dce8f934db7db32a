"""A model's summary agrees with papers, counts by hand, gradients and the profiler."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.profiler import ProfilerActivity, profile

from dlcourse.engine.instantiate import build
from dlcourse.introspect.receptive_field import ReceptiveField
from dlcourse.introspect.summary import run_forward, state_bytes, summarize_model
from dlcourse.layer.hand_written import HandWritten
from dlcourse.layer.pool import pool_layer
from dlcourse.schema.validate import NOT_ARGUMENTS

IMAGE = (3, 16, 16)


def rows(*layers: nn.Module, shape=IMAGE) -> list:
    """Return the summary's rows for a sequence of layers."""
    return summarize_model(lambda: nn.Sequential(*layers), shape).layers


@pytest.mark.parametrize(
    ("name", "parameters", "multiply_adds", "field"),
    [
        ("alexnet", 61_100_840, 714_188_480, 195),
        ("vgg16", 138_357_544, 15_470_264_320, 212),
        ("resnet18", 11_689_512, 1_814_073_344, 435),
        ("vit_base", 86_567_656, None, 16),
    ],
)
def test_parameters_multiply_adds_and_fields_at_224_are_those_of_papers_and_torchvision(
    name, parameters, multiply_adds, field, compose
):
    """The fields are from Araujo, Norris and Sim 2019; VGG's multiply-adds by hand: 15.5 G."""
    make = build(compose(f"model={name}")["model"])
    summary = summarize_model(lambda: make((3, 224, 224), 1000), (3, 224, 224))
    assert summary.parameters == parameters
    assert multiply_adds in (None, summary.multiply_adds)
    assert max(layer.seen[0].size for layer in summary.layers if layer.seen) == field


def test_lenets_multiply_adds_equal_a_count_by_hand(compose):
    make = build(compose("model=lenet")["model"])
    summary = summarize_model(lambda: make((1, 32, 32), 10), (1, 32, 32))
    convolutions = 28 * 28 * 6 * 25 + 10 * 10 * 16 * 6 * 25
    assert summary.multiply_adds == convolutions + 400 * 120 + 120 * 84 + 84 * 10 == 416_520
    assert summary.parameters == 61_706
    assert [layer.name for layer in summary.layers if layer.parameters] == [
        "features.0", "features.3", "classifier.0", "classifier.2", "classifier.4"
    ]  # fmt: skip


def test_grouped_convolutions_count_fewer_multiply_adds():
    shared, depthwise = nn.Conv2d(3, 6, 3), nn.Conv2d(3, 6, 3, groups=3)
    assert rows(shared)[0].multiply_adds == 14 * 14 * 6 * 3 * 9
    assert rows(depthwise)[0].multiply_adds == 14 * 14 * 6 * 9


@pytest.mark.parametrize("kind", ["ours", "encoder"])
def test_attention_counts_multiply_adds_and_stores_no_map_of_a_long_sequence(kind):
    from dlcourse.layer.attention import SHORT_SEQUENCE, SelfAttention

    tokens, width = SHORT_SEQUENCE + 44, 16
    layer = {
        "ours": lambda: SelfAttention(width, 2),
        "encoder": lambda: nn.TransformerEncoderLayer(width, 2, 32, batch_first=True),
    }[kind]
    summary = summarize_model(layer, (tokens, width))
    pairs = 2 * tokens * tokens * width  # queries with keys, and weights with values
    perceptron = 0 if kind == "ours" else 2 * tokens * width * 32
    assert summary.multiply_adds == 4 * tokens * width * width + pairs + perceptron
    if kind == "ours":
        assert summary.forward < 4 * tokens * tokens * 2


def test_a_summary_allocates_no_weights():
    summary = summarize_model(lambda: nn.Linear(10**6, 10**7), (10**6,))  # 40 terabytes
    assert summary.weights == summary.gradients == 4 * (10**13 + 10**7)
    assert summary.multiply_adds == 10**13


class Chooses(nn.Module):
    """Runs its layer as often as a buffer says; a tensor without values cannot do that."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.register_buffer("rounds", torch.tensor(3))

    def forward(self, inputs):
        for _ in range(int(self.rounds)):
            inputs = self.layer(inputs)
        return inputs


def test_a_model_whose_forward_depends_on_values_is_counted_with_shared_weights_once():
    (layer,) = summarize_model(Chooses, (4,)).layers
    assert (layer.name, layer.parameters, layer.multiply_adds) == ("layer", 20, 3 * 16)


class Paths(nn.Module):
    """Adds three paths with different windows; one layer is never called."""

    def __init__(self):
        super().__init__()
        self.one = nn.Conv2d(3, 3, 1)
        self.three = nn.Conv2d(3, 3, 3, padding=1)
        self.five = nn.Conv2d(3, 3, 5, padding=2)
        self.idle = nn.Linear(2, 2)

    def forward(self, maps):
        return self.one(maps) + self.three(maps) + self.five(maps)


def test_the_largest_field_of_added_paths_counts_and_unused_layers_are_listed_last():
    layers = summarize_model(Paths, IMAGE).layers
    assert [layer.name for layer in layers] == ["one", "three", "five", "", "idle"]
    assert [layer.seen and layer.seen[0].size for layer in layers] == [1, 3, 5, 5, None]
    assert layers[-1].output == ()
    assert layers[-1].parameters == 6
    assert layers[3].activation == 2 * 3 * 16 * 16 * 4  # two sums


class Sub(nn.Module):
    """A shortcut as in He et al. 2015: every second pixel, from the second row on, with padding."""

    def forward(self, maps):
        return F.pad(maps[:, :, 1::2, ::2], [2, 0, 0, 0])


def test_the_field_is_right_for_slices_padding_and_rectangular_windows():
    (layer,) = rows(Sub())
    assert layer.seen == (ReceptiveField(1, 2, 1), ReceptiveField(1, 2, -4))
    layers = rows(nn.Conv2d(3, 4, (1, 7)), nn.AvgPool2d(2), nn.MaxPool2d(3, 1, dilation=2))
    assert [tuple(field.size for field in layer.seen) for layer in layers] == [
        (1, 7), (2, 8), (10, 16)
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["max", "average", "sum", "stochastic"])
def test_every_pooling_has_the_field_of_its_window(name):
    layers = rows(nn.Conv2d(3, 4, 3), pool_layer(name, 3, 2, 1), nn.Conv2d(4, 4, 3))
    assert [layer.seen[0] for layer in layers] == [
        ReceptiveField(3, 1, 0), ReceptiveField(5, 2, -1), ReceptiveField(9, 2, -1)
    ]  # fmt: skip


class Gate(nn.Module):
    """Scales every map by a gate that depends on the whole image."""

    def forward(self, maps):
        return maps * maps.mean((2, 3), keepdim=True).sigmoid()


@pytest.mark.parametrize(
    "layer",
    [
        nn.Flatten(),
        Gate(),
        nn.AdaptiveAvgPool2d(1),
        nn.ConvTranspose2d(3, 3, 3, padding=1),
        nn.Upsample(scale_factor=2),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_layers_without_a_fixed_window_have_no_field(layer):
    assert [row.seen for row in rows(layer, nn.Identity())] == [None, None]


class Inception(nn.Module):
    """Concatenates paths with different windows and adds a shortcut."""

    def __init__(self):
        super().__init__()
        self.paths = nn.ModuleList(
            [nn.Conv2d(4, 1, 1), nn.Conv2d(4, 1, (5, 3), padding=(2, 1)), nn.AvgPool2d(3, 1, 1)]
        )

    def forward(self, maps):
        return torch.cat([path(maps) for path in self.paths], 1)[:, :4] + maps


def test_the_field_is_where_the_gradient_is_not_zero():
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, 2, 1), Inception(), pool_layer("sum", 2), Inception(), nn.Conv2d(4, 1, 2)
    )
    for parameter in net.parameters():
        nn.init.constant_(parameter, 0.1)
    inputs = torch.ones(1, 3, 60, 60, requires_grad=True)
    net(inputs)[0, 0, 6, 6].backward()
    seen = run_forward(net, (3, 60, 60)).layers[-1].seen
    for field, over in zip(seen, (2, 1), strict=True):
        reached = inputs.grad[0, 0].sum(over - 1).nonzero().flatten()
        first = field.start + 6 * field.jump
        assert (int(reached[0]), int(reached[-1])) == (first, first + field.size - 1)


def test_the_memory_saved_for_backward_is_that_of_the_profiler(compose):
    model = build(compose("model=convnet")["model"])((1, 28, 28), 10)
    batch = 8
    expected = run_forward(model, (1, 28, 28)).saved * batch
    inputs = torch.zeros(batch, 1, 28, 28)
    model.train()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        outputs = model(inputs)
    events = profiler.profiler.kineto_results.events()
    taken = sum(event.nbytes() for event in events if event.name() == "[memory]")
    outputs.sum().backward()
    assert taken + inputs.nbytes == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize(
    ("optim", "copies"), [("sgd", 0), ("momentum", 1), ("adam", 2), ("amsgrad", 3), ("lbfgs", None)]
)
def test_the_optimizers_state_has_the_size_of_n_copies_of_the_weights(optim, copies, compose):
    node = build(compose(f"optim={optim}")["optim"], *NOT_ARGUMENTS["optim"])
    found = state_bytes(
        lambda model: node([{"params": list(model.parameters())}]), lambda: HandWritten(100, 100)
    )
    assert found == (copies if copies is None else pytest.approx(copies * 4 * 10_100, rel=0.001))
