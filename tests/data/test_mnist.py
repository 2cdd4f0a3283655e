import numpy as np
import pytest

from data import DatasetOptions, describe, load, mnist
from data.resize import to_network
from data.sampling import permutation

DIGEST = "ca6acb4ff7e6954485d2afcf85c3390f6fa57aa491f105bf6eec1ced8b42f2ac"


@pytest.fixture
def dataset(available):
    available("mnist")
    return load(DatasetOptions("mnist"))


def test_digits_of_the_notebooks(dataset):
    assert dataset.digest == DIGEST
    assert dataset.train.images.shape == (7291, 16, 16)
    assert dataset.test.images.shape == (2007, 16, 16)
    train, test = (np.bincount(split.labels).tolist() for split in (dataset.train, dataset.test))
    assert train == [704, 814, 716, 774, 716, 650, 706, 761, 736, 714]
    assert test == [206, 210, 210, 215, 192, 161, 202, 208, 209, 194]
    assert dataset.train.images.mean() == pytest.approx(-0.738, abs=0.001)
    assert dataset.train.images.std() == pytest.approx(0.527, abs=0.001)


@pytest.mark.parametrize(
    ("options", "digest"),
    [({"antialias": False}, "61b61202f7d7e3e0"), ({"prng_layout": "today"}, "42561943bc8326ac")],
)
def test_digests_of_other_options(available, options, digest):
    available("mnist")
    assert load(DatasetOptions("mnist", **options)).digest[:16] == digest


def test_copy_and_original_files_give_the_same_digits(original_files, bare):
    """TFDS shuffles the rows when it writes a copy; reading restores the file order."""
    folder = original_files(mnist.ORIGINALS)
    fresh = load(DatasetOptions("mnist"), folder)  # prepares the copy and reads it
    assert describe("mnist").startswith("prepared in")
    assert fresh.digest == DIGEST
    paths = {name: folder / name for name in mnist.ORIGINALS.sha256}
    for split, name, available in (fresh.train, "train", 60_000), (fresh.test, "test", 10_000):
        pixels, labels = mnist.read(paths, name)
        rows = permutation(42, available, "notebook")[: len(split)]
        assert np.array_equal(split.labels, labels[rows])
        assert np.array_equal(split.images, to_network(pixels[rows], antialias=True))
