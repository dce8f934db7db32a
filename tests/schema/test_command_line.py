"""Options in another form than dlcourse's get one message that says what to type."""

import re
import shlex

import pytest
import yaml
from conftest import CONFIGS, options
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse.errors import MAX_SUGGESTIONS, UserError, bare, nearest
from dlcourse.schema.arguments import arguments, corrected
from dlcourse.schema.bounds import bounds_of
from dlcourse.schema.catalogue import read_choice
from dlcourse.schema.command_line import one_run, parse_command
from dlcourse.schema.compose import compose_job, known_keys, without_hydra
from dlcourse.schema.suggest import keys_meant, option_meant, unknown_key, unknown_option
from dlcourse.schema.synonyms import KEY_SYNONYMS, OPTION_SYNONYMS
from dlcourse.schema.validate import GROUPS, MULTIPLE, check

RIGHT = {"optim.lr=0.1": ["-lr=0.1", "lr = 0.1", "lr= 0.1", "lr =0.1", "lr:0.1", "optim.lr 0.1",
                          "optim.lr = 0.1"],
         "model=lenet": ["lenet", "model lenet", "model = lenet", "model:lenet"],
         "optim=adam": ["adam"],
         "max_epochs=5": ["max_epochs 5"],
         "runtime.device=cuda": ["--cuda"]}  # fmt: skip


def refused(*argv: str) -> str:
    with pytest.raises(UserError) as error:
        parse_command(argv)
    return str(error.value)


@pytest.mark.parametrize(
    ("typed", "right"), [(typed, right) for right, all_ in RIGHT.items() for typed in all_]
)
def test_an_option_typed_in_another_form_is_answered_with_the_right_command(typed, right):
    message = refused("seed=1", *typed.split(), "batch_size=8")
    assert message.endswith(f"seed=1 {right} batch_size=8")


def test_a_list_with_spaces_is_answered_with_the_right_command():
    assert refused("augment=[crop,", "flip]").endswith("'augment=[crop,flip]'")
    assert refused("augment=[crop", ",", "flip", "]", "seed=1").endswith(
        "'augment=[crop,flip]' seed=1"
    )


@given(st.permutations(["--config-dir=configs", "-m", "seed=1", "optim=sgd,adam"]))
def test_flags_may_be_anywhere_on_the_line(argv):
    args, ordered = parse_command(argv)
    assert args.multirun
    assert args.config_dir == "configs"
    assert {"-m", "--config-dir=configs"} == set(ordered[:2])
    assert args.overrides == ordered[2:] == [part for part in argv if not part.startswith("-")]


@pytest.mark.parametrize("option", [["--config-dir", "my"], ["--config-dir=my"], ["-cd", "my"]])
def test_a_script_takes_the_overrides_of_one_run(option):
    assert one_run(["model=tiny", *option, "seed=1"], "x") == (["model=tiny", "seed=1"], "my")
    with pytest.raises(UserError, match=r"^-m is not for shapes"):
        one_run(["seed=1", "-m"], "shapes")


FORGOTTEN = {
    "optim=sgd,adam": ["train.py -m optim=sgd,adam"],
    "optim.lr=range(1,3)": ["train.py -m 'optim.lr=range(1,3)'"],
    "augment=crop,flip": ["train.py -m augment=crop,flip", "'augment=[crop,flip]'"],
    "model.widths=8,4": ["train.py -m model.widths=8,4", "'model.widths=[8,4]'"],
    "data.root=a,b": ["train.py -m data.root=a,b", "\"data.root='a,b'\""],
    "observe=console,history": ["'observe=[console,history]'"],
}


@pytest.mark.parametrize(("override", "named"), FORGOTTEN.items())
def test_a_missing_m_flag_is_answered_with_the_whole_command(override, named):
    message = refused(override)
    assert "-m" in message
    for command in named:
        assert command in message


@pytest.mark.parametrize("text", ["ü", "~/data", "my data", "a{b}", "it's", "a(b", "!x", 'a"b'])
def test_any_text_can_be_typed_as_the_message_shows(text):
    """Either as it is, or in the quotes that the message shows and the shell and Hydra remove."""
    try:
        args, _ = parse_command([f"data.root={text}"])
    except UserError as error:
        args, _ = parse_command(shlex.split(str(error).rpartition("For this text type ")[2]))
    assert compose_job(args.overrides, None).data.root == text


def test_a_text_that_looks_like_an_interpolation_is_refused():
    for typed in ("data.root=a${b", r"data.root='a\${b'"):
        with pytest.raises(UserError):
            without_hydra(compose_job(parse_command([typed])[0].overrides, None))


IMPOSSIBLE = [
    "--cfg job --run", "--info --resolve", "--cfg other", "--config-dir", "~max_epochs",
    "~optim.lr", "~augment", "optim=${oc.select:x}", "-m optim=sgd,${x}", "--config-name x",
    "=3", "zzz",
]  # fmt: skip


@pytest.mark.parametrize("typed", IMPOSSIBLE)
def test_options_that_make_hydra_fail_get_one_message(typed):
    message = refused(*typed.split())
    assert len(message.splitlines()) <= 3
    assert "usage" not in message


@pytest.mark.parametrize("group", OPTION_SYNONYMS)
def test_every_synonym_of_an_option_leads_to_an_option_that_exists(group):
    for other, option in OPTION_SYNONYMS[group].items():
        assert option in options(group)
        assert other == bare(other)
        assert other not in map(bare, options(group))
        assert option_meant(group, other, options(group)) == [option]


@pytest.fixture(scope="module")
def keys() -> set[str]:
    """Return every key that exists for some choice."""
    found = {*GROUPS, *known_keys(["model=mlp", "split=kfold", "metric=[]"], None), "hydra.run.dir"}
    for group in {*GROUPS} - {*MULTIPLE}:
        for name in options(group):
            choice = read_choice(CONFIGS / group / f"{name}.yaml")
            found |= {f"{group}.{key}" for key in choice.options}
    return found


def test_every_synonym_of_a_key_leads_to_a_key_that_exists(keys):
    for other, target in KEY_SYNONYMS.items():
        key, equals, value = target.partition("=")
        assert other == bare(other)
        assert key in keys, other
        if equals:
            allowed = bounds_of(key)
            typed = yaml.safe_load(value)
            assert value in options(key) if key in GROUPS else allowed.allows(typed), target
        assert keys_meant(other, GROUPS) == [target] or other in map(bare, GROUPS)


@pytest.mark.parametrize("group", GROUPS)
def test_suggestions_ignore_case_hyphens_and_underscores(group):
    for name in options(group):
        for typed in (name.upper(), name.replace("_", "-"), name.title().replace("_", "")):
            assert option_meant(group, typed, options(group))[0] == name


@settings(max_examples=30)
@given(st.text(max_size=12), st.lists(st.text("abc_", min_size=1, max_size=6), max_size=30))
def test_a_message_has_between_one_and_ten_suggestions(typed, known):
    for text in (nearest(typed, known), unknown_option("model", typed, known, False)):
        assert "; Allowed" not in text  # a capital letter only after a question mark
        allowed = re.split("[Aa]llowed: ", text)[-1].split(".\n")[0].split(" and ")[0]
        assert ("nothing is allowed" in text) == (not known)
        assert not known or 1 <= len(allowed.split(", ")) <= min(MAX_SUGGESTIONS, len(set(known)))
        assert "; ." not in text
    assert "; ." not in unknown_key(typed, "1", [*known, "seed"], lambda key: [], "train.py")


@pytest.mark.parametrize(
    ("typed", "answer"),
    [("lr=0.1", "optim.lr=0.1"), ("optim.learning_rate=0.1", "optim.lr=0.1"),
     ("optimizer=Adam", "optim=adam"), ("dataset=MNIST", "data=mnist"), ("Seed=3", "seed=3"),
     ("data.lr=1", "optim.lr=1"), ("dropout=0.5", "model.dropout=0.5"),
     ("model=LeNet-5", "model=lenet"), ("init=kaiming", "init=he_normal"),
     ("model.activation=ReLU", "model.activation=relu"), ("augment=[Crop]", "'augment=[crop]'")],
)  # fmt: skip
def test_common_names_of_other_frameworks_are_answered_with_those_of_dlcourse(typed, answer):
    with pytest.raises(UserError) as error:
        check(without_hydra(compose_job([typed], None)))
    assert str(error.value).splitlines()[-1].endswith(f" {answer}")


def test_no_private_key_is_suggested():
    assert not [key for key in known_keys([], None) if "_target_" in key or "_partial_" in key]


def test_a_users_own_choices_are_suggested(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model/wide.yaml").write_text("_target_: my.Wide\n")
    with pytest.raises(UserError, match=r"did you mean wide\?.*\nType model=wide"):
        compose_job(["model=wyde"], str(tmp_path))


USAGE = "Measure.\n\n    python scripts/evaluate.py run=<folder>\n\nMore.\n"


@pytest.mark.parametrize("typed", ["--run x", "--run=x", "run = x", "run x", "run:x"])
def test_a_scripts_option_in_another_form_is_answered_with_the_right_command(typed):
    with pytest.raises(UserError, match=r"scripts/evaluate\.py run=x$"):
        arguments(typed.split(), {"run": None}, USAGE)


def test_a_scripts_unknown_option_is_answered_with_a_suggestion_and_the_usage():
    with pytest.raises(UserError, match=r"did you mean run\?") as error:
        arguments(["rum=x"], {"run": None, "trust": ""}, USAGE)
    assert str(error.value).endswith("    python scripts/evaluate.py run=<folder>")
    assert "More." not in str(error.value)


@settings(max_examples=30)
@given(st.lists(st.from_regex(r"[a-z]{1,3}(\.[a-z]{1,3})?=[a-z0-9.]{1,3}", fullmatch=True)))
def test_correct_overrides_are_not_changed(overrides):
    assert corrected(overrides, ["a"]) == overrides
