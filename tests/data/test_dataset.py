import numpy as np
import pytest

from data.dataset import Dataset, Split


def split(n=4, seed=0):
    rng = np.random.default_rng(seed)
    return Split(rng.uniform(-1, 1, (n, 16, 16)), rng.integers(0, 10, n))


def test_arrays_are_private_and_read_only():
    images = np.zeros((2, 16, 16))
    made = Split(images, [3, 4])
    images[:] = 1
    assert made.images.dtype == np.float32
    assert made.labels.dtype == np.int32
    assert not made.images.any()
    with pytest.raises(ValueError, match="read-only"):
        made.images[0] = 0
    with pytest.raises(ValueError, match="read-only"):
        made.labels[0] = 0


@pytest.mark.parametrize(
    ("images", "labels", "said"),
    [
        (np.zeros((2, 28, 28)), [1, 2], r"not \[N, 16, 16\]"),
        (np.zeros((2, 16, 16)), [1], r"not \[N, 16, 16\]"),
        (np.full((1, 16, 16), 1.1), [1], "outside"),
        (np.full((1, 16, 16), np.nan), [1], "outside"),
        (np.zeros((1, 16, 16)), [10], r"outside 0\.\.9"),
    ],
)
def test_what_is_not_digits_is_refused(images, labels, said):
    with pytest.raises(ValueError, match=said):
        Split(images, labels)


def test_digest_is_over_the_arrays_alone():
    made = Dataset("a", split(), split(seed=1), {})
    assert len(made.digest) == 64
    assert made.digest == Dataset("b", split(), split(seed=1), {"other": 1}).digest
    changed = np.array(made.train.labels)
    changed[0] = (changed[0] + 1) % 10
    others = [
        Dataset("a", Split(made.train.images, changed), made.test, {}),
        Dataset("a", made.test, made.train, {}),
        Dataset("a", split(3), made.test, {}),
    ]
    assert len({made.digest, *(other.digest for other in others)}) == 4
