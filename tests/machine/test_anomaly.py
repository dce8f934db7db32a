"""The checks that find the first number that is not finite."""

import pytest
import torch
from conftest import composed, prepared
from torch import nn

from dlcourse.errors import DivergedError
from dlcourse.machine.anomaly import check_layers, check_steps, detect_anomalies
from dlcourse.train.fit import fit


@pytest.fixture(autouse=True)
def _off():
    yield
    detect_anomalies(False)


class Root(nn.Module):
    """A model whose backward pass is infinity times zero where a unit is 0."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(4, 3), nn.Linear(3, 2)

    def forward(self, inputs):
        hidden = self.first(inputs)
        return self.last((hidden * hidden).sqrt())


def test_the_layer_whose_output_is_not_finite_is_named():
    first, last = nn.Linear(2, 2), nn.Linear(2, 2)
    model = nn.Sequential(first, nn.ReLU(), last)
    check_layers(model)
    model(torch.ones(1, 2))  # the control: nothing is raised
    with torch.no_grad():
        last.weight.fill_(1e38)
        first.weight.fill_(10.0)
    with pytest.raises(
        DivergedError, match=r"output of 2 \(Linear\) is not finite: 2 of 2 numbers"
    ):
        model(torch.ones(1, 2))
    with pytest.raises(DivergedError, match=r"output of 0 \(Linear\).*Its input is not finite"):
        model(torch.tensor([[float("nan"), 1.0]]))
    with torch.no_grad():
        first.weight[0, 0] = float("inf")
    with pytest.raises(DivergedError, match=r"of 0 \(Linear\).*Its weight is not finite"):
        model(torch.ones(1, 2))


def test_the_function_whose_gradient_is_nan_is_named_with_its_line():
    detect_anomalies(True)
    model = Root()
    nn.init.zeros_(model.first.weight)
    nn.init.zeros_(model.first.bias)

    def step(state, inputs, targets, recipe):
        loss = model(inputs).sum()
        loss.backward()
        return loss, loss

    class State:
        history = ()

    with pytest.raises(DivergedError) as caught:
        check_steps(step)(State(), torch.ones(2, 4), None, None)  # pyright: ignore
    message = str(caught.value)
    assert message.startswith(
        "In step 1 of epoch 1: the gradient of MulBackward0 is NaN, called in "
    )
    assert "test_anomaly.py" in message


def run_with(*overrides):
    config = composed("data.examples=60", "batch_size=16", "model=mlp", "debug=anomaly", *overrides)
    config["runtime"]["device"] = "cpu"
    state, fold, recipe = prepared(config)
    return fit(state, fold, recipe)


def test_a_training_without_a_mistake_is_the_same(data_root):
    plain = ["optim=sgd", "max_epochs=2", f"data.root={data_root}"]
    checked = run_with(*plain)
    config = composed("data.examples=60", "batch_size=16", "model=mlp", "runtime=plain", *plain)
    state, fold, recipe = prepared(config)
    assert not torch.is_anomaly_enabled()  # each run sets the switch
    other = fit(state, fold, recipe)
    pairs = zip(checked.model.parameters(), other.model.parameters(), strict=True)
    assert all(torch.equal(one, two) for one, two in pairs)


LARGE_STEPS = (
    "optim=sgd", "optim.lr=1000", "loss=mse", "split.fraction=0", "monitor=train/loss",
)  # fmt: skip


def test_a_training_that_diverges_says_in_which_step(data_root):
    with pytest.raises(DivergedError, match=r"^In step \d+ of epoch \d+: the \w+"):
        run_with(
            "optim=sgd",
            "optim.lr=1000",
            "loss=mse",
            "split.fraction=0",
            "monitor=train/loss",
            f"data.root={data_root}",
            "max_epochs=9",
        )
