"""A spec says exactly what was asked, or says in one line what is wrong."""

import pytest

from sweep.spec.seeds import MAX_SEED
from sweep.spec.spec import SpecError, dataset_label, parse, presets, read_spec


def test_every_preset_is_a_spec():
    assert set(presets()) == {"quickstart", "lecun1989", "recipes", "usps", "learning-rate"}
    sizes = {name: len(list(read_spec(name).cells())) for name in presets()}
    assert sizes == {"quickstart": 5, "lecun1989": 5, "recipes": 15, "usps": 5, "learning-rate": 5}


def test_the_recipe_decides_the_resize_unless_the_spec_does():
    labels = [dataset_label(o) for _, o in read_spec("recipes").cells()]
    assert labels == ["mnist"] * 10 + ["mnist,antialias=False"] * 5
    fixed = parse({"recipe": "karpathy", "dataset": {"name": "mnist", "antialias": True}})
    assert {dataset_label(o) for _, o in fixed.cells()} == {"mnist"}


def test_a_grid_gives_one_cell_a_value_and_no_value_twice():
    spec = parse({"variants": "base", "set": {"learning_rate": [0.01, 0.03, "3e-2"], "epochs": 4}})
    assert [v.name for v, _ in spec.cells()] == ["base,learning_rate=0.01,epochs=4", "base,epochs=4"]


def test_how_a_sweep_is_run_does_not_change_its_digest():
    one = parse({"seeds": "0:4,4:8"})
    assert one.digest == parse({"seeds": "0:8", "shard_width": 3, "engine": "vmap"}).digest
    assert one.digest != parse({"seeds": "0:9"}).digest


WRONG = {
    "unknown variant": ({"variants": "bas"}, "unknown variant 'bas': did you mean 'base'?"),
    "unknown recipe": ({"recipe": "flaxx"}, "did you mean 'flax'?"),
    "unknown data set": ({"dataset": "mnst"}, "did you mean 'mnist'?"),
    "unknown data set key": (
        {"dataset": {"name": "mnist", "drow": 1}},
        "unknown key 'drow': did you mean 'draw'?",
    ),
    "too many digits": ({"dataset": {"name": "mnist", "n_train": 70000}}, "60000"),
    "unknown key": ({"variant": "base"}, "unknown key 'variant': did you mean 'variants'?"),
    "unknown engine": ({"engine": "lane"}, "did you mean 'lanes'?"),
    "unknown hyper-parameter": ({"set": {"learningrate": 1}}, "did you mean 'learning_rate'?"),
    "negative learning rate": ({"set": {"learning_rate": -0.1}}, "out of range"),
    "learning rate of zero": ({"set": {"learning_rate": 0}}, "trains nothing"),
    "learning rate not a number": ({"set": {"learning_rate": "fast"}}, "is not a number"),
    "infinite learning rate": ({"set": {"learning_rate": "inf"}}, "finite"),
    "half an epoch": ({"set": {"epochs": 1.5}}, "whole number"),
    "no epoch": ({"set": {"epochs": 0}}, "out of range"),
    "dropout of one": ({"set": {"dropout": 1}}, "out of range"),
    "unknown init": ({"set": {"init": "papre"}}, "did you mean 'paper'?"),
    "backward seeds": ({"seeds": "9:3"}, "empty range"),
    "words for seeds": ({"seeds": "many"}, "not a seed or a range"),
    "negative seeds": ({"seeds": "-1:4"}, "not a seed or a range"),
    "too large a seed": ({"seeds": str(MAX_SEED + 1)}, "too large"),
    "too many runs": ({"seeds": "0:4000000000"}, "at most"),
    "a width of zero": ({"shard_width": 0}, "shard_width"),
    "a name that leaves the root": ({"name": "../x"}, "may hold letters"),
}


@pytest.mark.parametrize(("fields", "message"), WRONG.values(), ids=WRONG)
def test_wrong_input_gives_one_clear_line(fields, message):
    with pytest.raises(SpecError) as error:
        parse(fields, "my.yaml")
    text = str(error.value)
    assert message in text
    assert text.startswith("my.yaml: ")
    assert "\n" not in text


def test_a_spec_asking_for_10_to_the_12_runs_is_refused_without_counting_them():
    with pytest.raises(SpecError, match="at most"):
        parse({"seeds": "0:4000000000", "set": {"learning_rate": [i / 1000 for i in range(1, 250)]}})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("variants: [base", "broken YAML in line"),
        ("- base", "a spec is a mapping"),
        ("!!python/object/apply:os.system ['true']", "broken YAML"),
    ],
)
def test_a_broken_file_is_named(tmp_path, text, message):
    path = tmp_path / "spec.yaml"
    path.write_text(text)
    with pytest.raises(SpecError, match=message) as error:
        read_spec(str(path))
    assert str(path) in str(error.value)


def test_a_missing_file_and_a_misspelt_preset():
    with pytest.raises(SpecError, match="there is no such file"):
        read_spec("nowhere.yaml")
    with pytest.raises(SpecError, match="did you mean 'quickstart'"):
        read_spec("quickstrat")
