"""Names of other programs: replaced where they have exactly one meaning here."""

import pytest
from conftest import options

from dlcourse.errors import UserError, bare
from dlcourse.schema.aliases import with_real_names
from dlcourse.schema.command_line import in_grammar, parse_command
from dlcourse.schema.synonyms import EXACT_OPTIONS, KEY_SYNONYMS, OPTION_SYNONYMS
from dlcourse.schema.validate import GROUPS


@pytest.mark.parametrize(
    ("typed", "real"),
    [
        ("epochs=5", "max_epochs=5"),
        ("--epochs 5", "max_epochs=5"),
        ("--lr=0.1", "optim.lr=0.1"),
        ("--optim.lr 0.1", "optim.lr=0.1"),
        ("--batch-size 64", "batch_size=64"),
        ("optimizer=AdamW", "optim=adamw"),
        ("optimizer=SGD,Adam", "optim=sgd,adam"),
        ("optimizer.lr=0.1,0.2", "optim.lr=0.1,0.2"),
        ("optimizer.learning_rate=0.1", "optim.lr=0.1"),
        ("scheduler=CosineAnnealingLR", "schedule=cosine"),
        ("dataset=CIFAR-10", "data=cifar10"),
        ("dataset.examples=100", "data.examples=100"),
        ("trainer.max_epochs=3", "max_epochs=3"),
        ("model=lenet5", "model=lenet"),
        ("augment=[Crop,random-erasing]", "augment=[crop,cutout]"),
        ("Seed=3", "seed=3"),
    ],
)
def test_a_name_with_one_meaning_is_replaced_with_a_note(typed, real, capsys):
    assert in_grammar([*typed.split(), "check=true"], None) == [real, "check=true"]
    assert capsys.readouterr().err == f"{typed} is {real} here\n"


@pytest.mark.parametrize(
    "typed",
    ["hidden=3", "model=cnn", "beta1=0.9", "data=cifar", "optim.learning_rate=1", "trainer.foo=1",
     "+lr=0.1", "optim.lr=0.1", "resume=lr", "--verbose", "--cuda", "init=kaiming", "swa=true"],
)  # fmt: skip
def test_a_name_with_another_or_several_meanings_is_left_for_the_message(typed, capsys):
    assert with_real_names([typed], None) == [typed]
    assert capsys.readouterr().err == ""


def test_two_names_of_one_key_must_agree(capsys):
    assert with_real_names(["epochs=3", "max_epochs=3"], None) == ["max_epochs=3"] * 2
    with pytest.raises(UserError, match="epochs=3 is max_epochs=3 here, and max_epochs=4 is typed"):
        with_real_names(["epochs=3", "max_epochs=4"], None)


def test_a_users_own_names_win(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "optimizer").mkdir()
    (tmp_path / "model/lenet5.yaml").write_text("_target_: my.LeNet5\n")
    (tmp_path / "model/global.yaml").write_text("# @package _global_\nlr: 0.5\n")
    typed = ["model=lenet5", "lr=0.1", "optimizer=Adam", "epochs=3"]
    assert with_real_names(typed, str(tmp_path)) == [*typed[:3], "max_epochs=3"]
    assert with_real_names(typed, None) == [
        "model=lenet", "optim.lr=0.1", "optim=adam", "max_epochs=3",
    ]  # fmt: skip


def test_every_exact_name_is_in_the_table_of_synonyms_and_hides_no_real_one():
    assert not set(KEY_SYNONYMS) & set(map(bare, GROUPS))
    for group, names in EXACT_OPTIONS.items():
        for name in names:
            assert OPTION_SYNONYMS[group][name] in options(group)
            assert name not in map(bare, options(group))


def test_a_sweep_and_flags_of_hydra_keep_their_places(capsys):
    parsed, _ = parse_command(["-m", "--config-dir", "tests", "--lr", "0.1,0.2", "optimizer=SGD"])
    assert parsed.overrides == ["optim.lr=0.1,0.2", "optim=sgd"]
    assert parsed.multirun
    assert parsed.config_dir == "tests"
