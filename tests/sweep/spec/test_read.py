"""Specs from files and presets, with changes."""

import pytest

from sweep.errors import SpecError
from sweep.spec.read import read_spec
from sweep.spec.spec import parse


@pytest.fixture
def spec(tmp_path):
    path = tmp_path / "my.yaml"
    path.write_text("variants: base\nseeds: 0:4\nset: {learning_rate: [0.01, 0.03], epochs: 3}\n")
    return str(path)


def test_changes_replace_the_keys_of_a_file(spec):
    changed = read_spec(spec, seeds="8:12", variants=None)
    assert (changed.variants, changed.seeds) == (("base",), "8:12")


def test_set_replaces_only_the_named_hyper_parameters(spec):
    changed = read_spec(spec, set={"epochs": [1, 2]})
    assert changed.set == {"learning_rate": (0.01, 0.03), "epochs": (1, 2)}


def test_epochs_is_short_for_set(spec):
    assert read_spec(spec, epochs=1).set == {"learning_rate": (0.01, 0.03), "epochs": ("1",)}
    assert read_spec("quickstart", epochs=1) == read_spec("quickstart", set={"epochs": "1"})


@pytest.mark.parametrize("key", ["draw", "subset_seed"])
def test_sizes_and_subset_seeds_replace_those_of_the_data_set(tmp_path, key):
    path = tmp_path / "my.yaml"
    path.write_text(f"dataset: {{name: mnist, {key}: 7, n_test: 100}}\n")
    changed = read_spec(str(path), subset_seed="0:3", n_train="10,20").dataset
    assert (changed.name, changed.n_test) == ("mnist", 100)
    assert (changed.subset_seed, changed.n_train) == ((0, 1, 2), (10, 20))
    assert (
        read_spec("usps", n_train=100).dataset == parse({"dataset": {"name": "usps", "n_train": 100}}).dataset
    )
    assert read_spec(str(path), dataset="mnist5k", n_train=50).dataset.subset_seed is None
    path.write_text("dataset: [mnist]\n")
    with pytest.raises(SpecError, match=r"my\.yaml: dataset: \['mnist'\] is a list"):
        read_spec(str(path), n_train=10)


def test_epochs_given_twice_is_rejected():
    with pytest.raises(SpecError, match="given twice"):
        read_spec(None, epochs=1, set={"epochs": 2})


def test_seeds_in_yaml_are_text_and_lists_of_ranges(tmp_path):
    path = tmp_path / "my.yaml"
    for text, seeds in {
        "16:32": "16:32",
        "1:4": "1:4",
        "010": "10:11",
        "7": "7:8",
        "0:2, 8:10": "0:2,8:10",
        "[0:16, 100:110]": "0:16,100:110",
        "[1, 3, 4, '9:11']": "1:2,3:5,9:11",
    }.items():
        path.write_text(f"seeds: {text}\n")
        assert read_spec(str(path)).seeds == seeds


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variants": "bas"}, "unknown variant 'bas'"),
        ({"set": {"epochs": 0}}, "epochs = 0 is out of range"),
    ],
)
def test_an_error_in_a_change_does_not_name_the_file(spec, changes, message):
    with pytest.raises(SpecError) as error:
        read_spec(spec, **changes)
    assert message in str(error.value)
    assert "my.yaml" not in str(error.value)


def test_an_error_in_a_file_names_the_file_with_any_change(tmp_path):
    path = tmp_path / "my.yaml"
    path.write_text("variants: bas\n")
    with pytest.raises(SpecError, match=r"my\.yaml: unknown variant 'bas'"):
        read_spec(str(path), seeds="0:2")


def test_without_a_file_nothing_is_named():
    with pytest.raises(SpecError) as error:
        read_spec(None, variants="bas")
    assert str(error.value).startswith("unknown variant 'bas'")


def test_a_missing_file_and_a_misspelt_preset():
    with pytest.raises(SpecError, match="No such file"):
        read_spec("nowhere.yaml")
    with pytest.raises(SpecError, match="did you mean 'quickstart'"):
        read_spec("quickstrat")
