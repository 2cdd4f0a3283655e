"""`vmap` agrees with its results in version 0.1, which computed grouped convolutions: 200 updates, two seeds.

``recorded.npz`` holds `results` of every variant, computed by commit d469c9e on x86-64 with AVX-512.
"""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from model.engines import vmap
from model.variants import VARIANTS, Variant

RECORDED = Path(__file__).with_name("recorded.npz")
EVERY = 4  # every fourth number of each tensor is recorded


def results(v: Variant, images: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Weights and evaluation after 200 updates of the seeds 0 and 1."""
    states = vmap.init(v, np.arange(2, dtype=np.uint32))
    after = vmap.train_epoch(v, states, images[:200], labels[:200], 2)
    score = vmap.evaluate(v, after.params, images, labels)
    return {
        "initial": _sample(states.params),
        "weights": _sample(after.params),
        "loss": np.asarray(score.loss),
        "misses": np.asarray(score.misses),
        "predictions": np.asarray(score.predictions),
    }


def _sample(params: Any) -> np.ndarray:
    leaves = [np.asarray(leaf).reshape(2, -1)[:, ::EVERY] for leaf in jax.tree.leaves(params)]
    return np.concatenate(leaves, axis=1)


@pytest.mark.parametrize("name", VARIANTS)
def test_results_agree_with_those_of_version_0_1(name: str, digits: Any) -> None:
    v, now = VARIANTS[name], results(VARIANTS[name], *digits)
    with np.load(RECORDED) as archive:
        then = {key.partition("/")[2]: archive[key] for key in archive.files if key.startswith(f"{name}/")}
    assert now.keys() == then.keys()
    np.testing.assert_array_equal(now["initial"], then["initial"])
    difference = np.abs(now["weights"] - then["weights"])
    if v.optimizer == "adamw":
        # AdamW divides a gradient by its own size. Where the gradient is rounding error, so is the step.
        assert (difference <= 1e-6).mean() > 0.999
        assert difference.max() < v.learning_rate
    else:
        assert difference.max() <= 1e-6
    np.testing.assert_allclose(now["loss"], then["loss"], rtol=1e-6)
    np.testing.assert_array_equal(now["misses"], then["misses"])
    np.testing.assert_array_equal(now["predictions"], then["predictions"])
