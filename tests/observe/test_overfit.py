"""The verdict on whether a model can memorise one batch."""

import json
import math

import pytest
import torch
from conftest import composed
from torch import nn

from dlcourse.engine.assemble import switch_off_dropout
from dlcourse.engine.run import run
from dlcourse.observe.overfit import Overfit, probabilities_text

DEBUG = ["debug=overfit", "data.at_most=20", "runtime=cpu", "observe=[overfit]", "model=mlp"]


class Softmaxed(nn.Sequential):
    """A model whose last layer is the softmax that the loss applies as well."""

    def __init__(self, input_shape, output_size):
        super().__init__(
            nn.Flatten(), nn.Linear(math.prod(input_shape), output_size), nn.Softmax(1)
        )


def verdict(folder, data_root, *overrides, **model):
    config = composed(*DEBUG, f"data.root={data_root}", *overrides)
    config["model"] = model or config["model"]
    run(config, folder)
    return json.loads((folder / "overfit.json").read_text())


def test_a_good_model_memorises_and_training_ends_there(tmp_path, data_root, capsys):
    found = verdict(tmp_path, data_root, "optim.lr=0.01", "model.dropout=0.5")
    assert found["memorised"]
    assert found["loss"] < 0.01 < found["before"]
    assert found["steps"] < 1000
    assert capsys.readouterr().out.startswith("The model can memorise 20 examples: loss 0.00")


@pytest.mark.parametrize(
    ("overrides", "cause"),
    [
        (["init=zeros"], "No gradient arrives at hidden.0.weight"),
        (["optim.lr=1e-7"], "The loss does not fall"),
        (["optim.lr=0.00003"], "The loss still falls"),
        (["data.random_labels=0.0", "data=gates", "data.gate=xor", "model=linear",
          "optim.lr=0.1"], "The loss has levelled off"),
    ],
)  # fmt: skip
def test_a_model_that_cannot_memorise_gets_a_likely_cause(overrides, cause, tmp_path, data_root):
    found = verdict(tmp_path, data_root, "max_epochs=60", *overrides)
    assert not found["memorised"]
    assert cause in found["lines"][1]


def test_a_softmax_in_front_of_the_loss_is_found(tmp_path, data_root):
    target = {"_target_": f"{__name__}.Softmaxed", "_partial_": True}
    found = verdict(tmp_path, data_root, "max_epochs=20", **target)
    assert "The outputs are probabilities already" in found["lines"][1]


def test_scores_are_no_probabilities():
    assert probabilities_text(torch.full((5, 4), 0.25), "softmax")
    assert not probabilities_text(torch.full((5, 4), 0.25), "sigmoid")
    assert not probabilities_text(torch.randn(5, 4), "softmax")


def test_equal_inputs_with_other_targets_are_counted(tmp_path):
    observer = Overfit(tmp_path)
    inputs, targets = torch.tensor([[1.0], [1.0], [2.0], [2.0]]), torch.tensor([0, 1, 2, 2])
    observer.examples = lambda: (inputs, targets)
    assert observer.conflict() == "2 examples have equal inputs and different targets"


def test_the_observer_leaves_the_training_as_it_is(tmp_path, data_root):
    weights = []
    for name, observe in (("with", "observe=[overfit]"), ("without", "observe=[]")):
        config = composed(*DEBUG, f"data.root={data_root}", "max_epochs=5", observe)
        run(config, tmp_path / name)
        content = torch.load(tmp_path / name / "checkpoints/best.pt", weights_only=False)
        weights.append(content["model"])
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_dropout_of_every_kind_is_switched_off():
    layers = nn.ModuleList([nn.Dropout(0.5), nn.Dropout2d(0.3), nn.MultiheadAttention(4, 2, 0.1)])
    switch_off_dropout(layers)
    assert [layers[0].p, layers[1].p, layers[2].dropout] == [0, 0, 0]
