import jax
import numpy as np
import pytest

from data.mnist5k import load
from data.options import DatasetOptions
from data.resize import to_network

ONE_ROUNDING = 4e-7  # a CPU without fused multiply-add may differ by so much


def notebook_resize(raw, antialias):
    """Image by image, as the notebooks did it."""
    images = raw.astype(np.float32) / 127.5 - 1.0
    return np.stack([jax.image.resize(x, (16, 16), "bilinear", antialias=antialias) for x in images])


def has_fused_multiply_add():
    try:
        with open("/proc/cpuinfo") as info:
            return " fma " in info.read()
    except OSError:
        return False


@pytest.mark.parametrize("antialias", [True, False])
def test_agrees_with_jax_image_by_image(antialias):
    raw = np.random.default_rng(0).integers(0, 256, (300, 28, 28), np.uint8)
    raw[:50] = 0
    raw[50:60] = 255
    ours, theirs = to_network(raw, antialias), notebook_resize(raw, antialias)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=ONE_ROUNDING)
    if has_fused_multiply_add():
        np.testing.assert_array_equal(ours, theirs)


def test_an_image_is_resized_independently_of_other_images():
    raw = np.random.default_rng(1).integers(0, 256, (20, 28, 28), np.uint8)
    np.testing.assert_array_equal(to_network(raw, True)[7:8], to_network(raw[7:8], True))


def test_antialiasing_blurs():
    sharp, blurred = (load(DatasetOptions(antialias=a)).train.images for a in (False, True))
    assert np.abs(sharp - blurred).mean() == pytest.approx(0.045, abs=0.001)
    assert (blurred.mean(), blurred.std()) == pytest.approx((-0.737, 0.527), abs=0.001)
    assert (sharp.mean(), sharp.std()) == pytest.approx((-0.737, 0.577), abs=0.001)
