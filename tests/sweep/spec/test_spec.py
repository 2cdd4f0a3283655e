"""A spec contains exactly what was requested, or gives one line that says what is wrong."""

import pytest

from sweep.errors import SpecError
from sweep.spec.read import presets, read_spec
from sweep.spec.seeds import MAX_SEED
from sweep.spec.spec import dataset_label, parse


def test_every_preset_is_a_spec():
    sizes = {name: len(list(read_spec(name).cells())) for name in presets()}
    assert sizes == {
        "quickstart": 5,
        "lecun1989": 5,
        "recipes": 15,
        "usps": 5,
        "learning-rate": 5,
        "paper": 9,
        "ablation": 24,
        "data-scaling": 14,
        "sources": 64,
        "sources-dropout": 128,
        "sources-streams": 16,
    }


# Golden: recorded from the first version. A changed digest makes recorded sweeps unreachable.
DIGESTS = {
    "learning-rate": "423cfae6",
    "lecun1989": "b91042e9",
    "quickstart": "763c2e62",
    "recipes": "f6b718a9",
    "usps": "bc31e4f0",
}


def test_every_preset_has_its_golden_digest():
    assert {name: read_spec(name).digest for name in DIGESTS} == DIGESTS
    assert read_spec(None).digest == "17abde6f"


@pytest.mark.parametrize("former", [True, False])
def test_former_names_of_keys_are_read_and_stored(former):
    seed, layout, schedule = (
        ("draw", "era", "fall") if former else ("subset_seed", "prng_layout", "lr_schedule")
    )
    spec = parse(
        {
            "dataset": {"name": "mnist", seed: 7, layout: "today", "n_train": 100},
            "set": {schedule: "none,step", "learning_rate": 0.01},
        }
    )
    assert spec.digest == "74f5a597"
    stored = spec.to_stored()
    assert stored["dataset"]["draw"] == 7
    assert stored["dataset"]["era"] == "today"
    assert stored["set"]["fall"] == ["none", "step"]
    assert parse(stored) == spec
    assert {dataset_label(options) for _, options in spec.cells()} == {"mnist,n_train=100,draw=7,era=today"}


def test_a_key_under_both_names_is_refused():
    with pytest.raises(SpecError, match="'draw' is the former name of 'subset_seed': give one of them"):
        parse({"dataset": {"name": "mnist", "draw": 1, "subset_seed": 2}})


def test_the_recipe_decides_the_resize_unless_the_spec_does():
    labels = [dataset_label(o) for _, o in read_spec("recipes").cells()]
    assert labels == ["mnist"] * 10 + ["mnist,antialias=False"] * 5
    fixed = parse({"recipe": "karpathy", "dataset": {"name": "mnist", "antialias": True}})
    assert {dataset_label(o) for _, o in fixed.cells()} == {"mnist"}


def test_a_grid_gives_one_cell_a_value_and_no_value_twice():
    spec = parse({"variants": "base", "set": {"learning_rate": [0.01, 0.03, "3e-2"], "epochs": 4}})
    assert [v.name for v, _ in spec.cells()] == ["base,learning_rate=0.01,epochs=4", "base,epochs=4"]


def test_several_sizes_and_subset_seeds_give_a_grid_of_data_sets():
    spec = parse(
        {"variants": "base", "dataset": {"name": "mnist", "draw": "0:3", "n_train": [100, "200, 300"]}}
    )
    options = [options for _, options in spec.cells()]
    assert [(o.n_train, o.subset_seed) for o in options] == [
        (n_train, seed) for n_train in (100, 200, 300) for seed in (0, 1, 2)
    ]
    assert len({o.key for o in options}) == 9
    stored = spec.to_stored()
    assert (stored["dataset"]["n_train"], stored["dataset"]["draw"]) == ([100, 200, 300], [0, 1, 2])
    assert parse(stored) == spec


@pytest.mark.parametrize("value", [7, "7", [7], "7:8"])
def test_one_subset_seed_is_stored_as_a_number(value):
    spec = parse({"dataset": {"name": "mnist", "draw": value, "n_train": 100}})
    assert spec.to_stored()["dataset"]["draw"] == 7
    assert (
        spec.digest == parse({"dataset": {"name": "mnist", "draw": 7, "n_train": 100}}).digest == "bba3010a"
    )


def test_a_range_of_whole_numbers_is_a_grid_of_a_hyper_parameter():
    spec = parse({"variants": "base", "set": {"order_seed": ["0:2", 5]}})
    assert [v.order_seed for v, _ in spec.cells()] == [0, 1, 5]
    assert spec.digest == parse({"variants": "base", "set": {"order_seed": [0, 1, 5]}}).digest


def test_how_a_sweep_is_run_does_not_change_its_digest():
    one = parse({"seeds": "0:4,4:8"})
    assert one.digest == parse({"seeds": "0:8", "shard_width": 3, "engine": "vmap"}).digest
    assert one.digest != parse({"seeds": "0:9"}).digest


WRONG = {
    "unknown variant": ({"variants": "bas"}, "unknown variant 'bas': did you mean 'base'?"),
    "unknown recipe": ({"recipe": "flaxx"}, "did you mean 'flax'?"),
    "unknown data set": ({"dataset": "mnst"}, "did you mean 'mnist'?"),
    "unknown data set key": (
        {"dataset": {"name": "mnist", "subset_sed": 1}},
        "unknown key 'subset_sed': did you mean 'subset_seed'?",
    ),
    "too many digits": ({"dataset": {"name": "mnist", "n_train": 70000}}, "60000"),
    "unknown key": ({"variant": "base"}, "unknown key 'variant': did you mean 'variants'?"),
    "unknown engine": ({"engine": "lane"}, "did you mean 'lanes'?"),
    "unknown hyperparameter": ({"set": {"learningrate": 1}}, "did you mean 'learning_rate'?"),
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
    "an empty list of variants": ({"variants": []}, "variants: the list is empty"),
    "an empty grid": ({"set": {"learning_rate": []}}, "set: the list is empty"),
    "a mapping for a hyperparameter": ({"set": {"learning_rate": {"a": 1}}}, "neither a number nor text"),
    "true for a hyperparameter": ({"set": {"epochs": True}}, "epochs = True is neither a number"),
    "a list for set": ({"set": ["epochs"]}, "set: give a mapping"),
    "a fraction for seeds": ({"seeds": 1.5}, "1.5 is not a seed or a range"),
    "true for seeds": ({"seeds": [True]}, "True is not a seed or a range"),
    "a number for a variant": ({"variants": 5}, "variants: 5 is a number, not text"),
    "a number for a data set": ({"dataset": 5}, "dataset: 5 is a number: write a name, or a mapping"),
    "a list for a data set": ({"dataset": ["mnist"]}, "dataset: ['mnist'] is a list: write a name"),
    "a word for a size": ({"dataset": {"n_train": "many"}}, "dataset.n_train: 'many' is not a whole number"),
    "true for a size": ({"dataset": {"n_train": True}}, "dataset.n_train: True is not a whole number"),
    "an empty range of subset seeds": ({"dataset": {"draw": "5:5"}}, "subset_seed: '5:5' is an empty range"),
    "a negative subset seed": ({"dataset": {"draw": "-1"}}, "subset_seed = -1 is out of range"),
    "half a digit": ({"dataset": {"n_train": [10, 1.5]}}, "dataset.n_train: 1.5 is not a whole number"),
    "a list in a list of sizes": ({"dataset": {"n_train": [[10]]}}, "n_train: [10] is not a whole number"),
    "no size": ({"dataset": {"n_train": []}}, "dataset.n_train: the list is empty"),
    "one size too large": ({"dataset": {"name": "mnist", "n_train": "10,70000"}}, "60000"),
    "too long a range": ({"dataset": {"draw": "0:4000000000"}}, "has 4,000,000,000 values: at most 10,000"),
    "too many data sets": (
        {"dataset": {"name": "mnist", "draw": "0:200", "n_train": "1:200"}},
        "combinations of variants, recipes, data sets and values: at most 10,000",
    ),
    "an empty range of orders": ({"set": {"order_seed": "3:3"}}, "set: '3:3' is an empty range"),
    "a word for a flag": ({"dataset": {"antialias": "maybe"}}, "'maybe' is neither true nor false"),
    "a large width": ({"shard_width": 10**6}, "shard_width: 1000000 is too large: at most 65,536"),
    "a word for the width": ({"shard_width": "wide"}, "shard_width: 'wide' is not a whole number"),
    "a number for the name": ({"name": 7}, "name: 7 is a number, not text"),
    "a very long value": ({"shard_width": "x" * 5000}, "x… is not a whole number"),
    "a width of zero": ({"shard_width": 0}, "shard_width"),
    "a name that leaves the root": ({"name": "../x"}, "is not a name"),
}


@pytest.mark.parametrize(("fields", "message"), WRONG.values(), ids=WRONG)
def test_wrong_input_gives_one_clear_line(fields, message):
    with pytest.raises(SpecError) as error:
        parse(fields, "my.yaml")
    text = str(error.value)
    assert message in text
    assert text.startswith("my.yaml: ")
    assert "\n" not in text
    assert len(text) < 250


def test_a_spec_asking_for_10_to_the_12_runs_is_refused_without_counting_them():
    with pytest.raises(SpecError, match="at most"):
        parse({"seeds": "0:4000000000", "set": {"learning_rate": [i / 1000 for i in range(1, 250)]}})
