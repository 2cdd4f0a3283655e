import numpy as np
import pytest

from data.dataset import Dataset, Examples


def examples_of(n=4, seed=0):
    rng = np.random.default_rng(seed)
    return Examples(rng.uniform(-1, 1, (n, 16, 16)), rng.integers(0, 10, n))


def test_arrays_are_read_only_copies():
    images = np.zeros((2, 16, 16))
    examples = Examples(images, [3, 4])
    images[:] = 1
    assert examples.images.dtype == np.float32
    assert examples.labels.dtype == np.int32
    assert not examples.images.any()
    with pytest.raises(ValueError, match="read-only"):
        examples.images[0] = 0
    with pytest.raises(ValueError, match="read-only"):
        examples.labels[0] = 0


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((2, 28, 28)), [1, 2], r"not \[N, 16, 16\]"),
        (np.zeros((2, 16, 16)), [1], r"not \[N, 16, 16\]"),
        (np.full((1, 16, 16), 1.1), [1], "outside"),
        (np.full((1, 16, 16), np.nan), [1], "outside"),
        (np.zeros((1, 16, 16)), [10], r"outside 0\.\.9"),
    ],
)
def test_invalid_arrays_are_rejected(images, labels, message):
    with pytest.raises(ValueError, match=message):
        Examples(images, labels)


def test_digest_covers_the_arrays_only():
    dataset = Dataset("a", examples_of(), examples_of(seed=1), {})
    assert len(dataset.digest) == 64
    assert dataset.digest == Dataset("b", dataset.train, dataset.test, {"other": 1}).digest
    changed = np.array(dataset.train.labels)
    changed[0] = (changed[0] + 1) % 10
    others = [
        Dataset("a", Examples(dataset.train.images, changed), dataset.test, {}),
        Dataset("a", dataset.test, dataset.train, {}),
        Dataset("a", examples_of(3), dataset.test, {}),
    ]
    assert len({dataset.digest, *(other.digest for other in others)}) == 4
