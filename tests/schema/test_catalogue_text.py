"""The overview of all choices is read from the configs, including the user's own."""

import pytest
from conftest import CONFIGS, options

from dlcourse.schema.catalogue import (
    ORDER,
    Choice,
    contract,
    defaults,
    files_of,
    list_groups,
    read_choice,
    shortened_header,
    typed_value,
)
from dlcourse.schema.validate import GROUPS, MULTIPLE

TEXT = list_groups([CONFIGS])


def sections() -> dict[str, list[str]]:
    """Return the lines of each group in the overview."""
    parts = [part.splitlines() for part in TEXT.split("\n\n")]
    return {part[0].split("=")[0]: part[1:] for part in parts if "=" in part[0]}


def test_the_overview_lists_every_group_once_with_the_presets_last():
    assert set(ORDER) == {*GROUPS, "sweep", "experiment", "debug"}
    assert list(sections())[:-1] == [*ORDER]
    assert ORDER[-2:] == ("experiment", "debug")


@pytest.mark.parametrize("group", ORDER)
def test_every_choice_has_one_line_of_at_most_110_characters(group):
    lines = sections()[group]
    folders = ["lecture/<topic>"] if group == "experiment" else []
    assert [line[2:].split()[0] for line in lines if "/" in line[:20]] == folders
    assert sorted(line[2:].split()[0] for line in lines if "/" not in line[:20]) == options(group)
    assert max(map(len, lines)) <= 110
    assert all(len(line.split()) > 3 for line in lines)


def test_stars_mark_the_defaults_of_train_yaml(compose):
    for group, names in defaults(CONFIGS).items():
        starred = [line.split()[1] for line in sections()[group] if line.startswith("*")]
        assert starred == sorted(name for name in names if name)
        if group in MULTIPLE:
            assert set(starred) == set(compose()[group])


def test_names_with_numbers_are_sorted_by_number():
    names = [*files_of("model", [CONFIGS])]
    assert names.index("resnet18") < names.index("resnet50") < names.index("resnet110")


def test_a_users_own_configs_are_listed_and_replace_those_of_the_same_name(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model/wide.yaml").write_text("# A wide one (Me 2024).\n_target_: my_model.Wide\n")
    (tmp_path / "model/lenet.yaml").write_text("_target_: my_model.LeNet\nbroken: [\n")
    text = list_groups([CONFIGS, tmp_path])
    assert "wide" in text
    assert "A wide one (Me 2024)." in text
    assert "LeNet-5: two convolutions" not in text


def test_a_choice_is_read_with_its_description_paper_options_and_settings(tmp_path):
    (tmp_path / "optim").mkdir()
    path = tmp_path / "optim/heavy.yaml"
    path.write_text(
        "# @package _global_\n# Heavy: it rolls (on x) (Ball 1964).\n# python train.py\n"
        "defaults:\n  - override /loss: mse\n  - override /metric: [rmse, r2]\nbatch_size: full\n"
        "optim:\n  _target_: my.Heavy\n  _partial_: true\n  lr: 1.0e-4\n  betas: [0.9, 1]\n"
        "  sign: ${oc.select:model.activation,relu}\n  deep: {er: null}\n"
    )
    assert read_choice(path) == Choice(
        name="heavy",
        what="Heavy: it rolls (on x)",
        paper="Ball 1964",
        options={
            "lr": 1e-4,
            "betas": [0.9, 1],
            "sign": "${oc.select:model.activation,relu}",
            "deep.er": None,
        },
        sets=["loss=mse", "metric=[rmse,r2]", "batch_size=full"],
    )


def test_a_choice_that_extends_another_has_its_options_too():
    cpu = read_choice(CONFIGS / "runtime/cpu.yaml")
    assert cpu.options["device"] == "cpu"
    assert cpu.options["precision"] == "fp32"


def test_a_users_own_choice_that_extends_one_of_dlcourses_has_its_options_too(tmp_path):
    (tmp_path / "model").mkdir()
    path = tmp_path / "model/own.yaml"
    path.write_text("# An MLP of my own\ndefaults: [mlp, _self_]\nwidths: [7]\n")
    own, mlp = read_choice(path), read_choice(CONFIGS / "model/mlp.yaml")
    assert own.options == mlp.options | {"widths": [7]}


def test_values_are_printed_as_a_user_types_them():
    values = [None, True, 0.5, [1, "a"], "word", "${oc.select:model.activation,relu}", "${seed}"]
    assert list(map(typed_value, values)) == [
        "null", "true", "0.5", "[1,a]", "word", "<model.activation>", "<seed>"
    ]  # fmt: skip


def test_a_long_header_is_cut_first_by_its_paper_and_then_at_a_word():
    text = "A convolutional network with two layers (LeCun 1998)."
    assert shortened_header(text, 60) == text
    assert shortened_header(text, 45) == "A convolutional network with two layers."
    assert shortened_header(text, 30) == "A convolutional network ..."


@pytest.mark.parametrize("group", ORDER)
def test_every_group_has_a_description(group):
    assert len(contract(group)) > 30


def test_a_preset_in_a_folder_is_found_by_its_name_with_the_folder():
    assert "lecture/perceptron" not in files_of("experiment", [CONFIGS])
    found = files_of("experiment", [CONFIGS], lectures=True)
    assert found["lecture/perceptron"] == CONFIGS / "experiment/lecture/perceptron.yaml"
