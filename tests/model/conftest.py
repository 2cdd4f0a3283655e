"""Real digits for the tests of the mathematics: the embedded ones, which need no files."""

import numpy as np
import pytest

from data import DatasetOptions, load


@pytest.fixture(scope="session")
def digits() -> tuple[np.ndarray, np.ndarray]:
    """Images [1000, 16, 16] float32 and labels [1000] int32."""
    train = load(DatasetOptions("mnist5k")).train
    return train.images[:1000], train.labels[:1000]
