import json
import re
import subprocess
import sys

import pytest

from data import DATASETS, DatasetOptions


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "minst"}, "unknown data set 'minst': did you mean 'mnist'?"),
        ({"name": "cifar"}, "choose from mnist, usps, mnist5k"),
        ({"name": "mnist", "prng_layout": "todya"}, "did you mean 'today'?"),
        ({"name": "mnist", "n_train": 0}, "n_train = 0 is out of range: mnist has 60000 digits"),
        ({"name": "mnist", "n_test": 10_001}, "n_test = 10001 is out of range: mnist has 10000 digits"),
        ({"name": "usps", "n_train": 7_292}, "n_train = 7292 is out of range: usps has 7291 digits"),
        ({"name": "usps", "antialias": False}, "16x16 already"),
        ({"name": "mnist5k", "n_train": 4_000}, "4000 + 1080: mnist5k has 5000 digits for train and test"),
        ({"name": "mnist", "subset_seed": -1}, "subset_seed = -1 is out of range"),
        ({"name": "mnist", "subset_seed": 2**32}, "is out of range"),
    ],
)
def test_wrong_options_give_one_line(given, message):
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        DatasetOptions(**given)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", DATASETS)
def test_defaults(name):
    options = DatasetOptions(name)
    assert options.sizes == DATASETS[name].sizes
    assert options.seed == (None if name == "usps" else 42)
    assert json.loads(json.dumps(options.description)) == options.description


def test_keys_are_unchanged():
    assert DatasetOptions("mnist").key[:16] == "51d521c380f09a12"
    assert DatasetOptions("mnist", subset_seed=7, antialias=False).key[:16] == "3987923711e8dfad"
    assert DatasetOptions("mnist", subset_seed=7).to_stored()["draw"] == 7


def test_options_need_only_the_standard_library():
    code = (
        "import sys; from data import DATASETS, DatasetOptions, DataUnavailable, load; DatasetOptions();"
        "print(*{'numpy', 'jax', 'tensorflow_datasets', 'requests', 'mlxtend'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""
