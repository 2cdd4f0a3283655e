"""Image files of real digits give the inputs that the data set gives; every unusable file is reported in one line."""

import numpy as np
import pytest
from PIL import Image

import data
from data import DatasetOptions
from data.images import ImageError, looks_inverted, read_images
from data.resize import to_network

RAW = np.arange(28 * 28, dtype=np.uint32).reshape(28, 28).astype(np.uint8)


@pytest.fixture
def digit(tmp_path):
    """Path of a 28×28 PNG with every grey level."""
    Image.fromarray(RAW).save(tmp_path / "digit.png")
    return tmp_path / "digit.png"


@pytest.mark.parametrize("antialias", [True, False])
def test_a_png_gives_the_bits_of_the_data_set(digit, antialias):
    assert np.array_equal(read_images([digit], antialias), to_network(RAW[None], antialias))


def test_inversion_exchanges_ink_and_background(digit, tmp_path):
    Image.fromarray(255 - RAW).save(tmp_path / "dark.png")
    assert np.array_equal(read_images([tmp_path / "dark.png"], True, invert=True), read_images([digit], True))


def test_light_backgrounds_are_recognised():
    image = data.load(DatasetOptions(n_train=1, n_test=1)).train.images[0]
    assert not looks_inverted(image)
    assert looks_inverted(-image)


@pytest.mark.parametrize("mode", ["1", "P", "RGB", "RGBA", "LA", "CMYK"])
def test_modes_with_8_bits_are_read(digit, tmp_path, mode):
    name = "digit.tif" if mode == "CMYK" else "digit.png"
    Image.open(digit).convert("L").convert("RGB").convert(mode).save(tmp_path / name)
    assert read_images([tmp_path / name], True).shape == (1, 16, 16)


def test_a_larger_jpeg_resembles_the_digit(tmp_path):
    small = np.kron(np.eye(7, dtype=np.uint8) * 255, np.ones((4, 4), np.uint8))
    Image.fromarray(small).resize((280, 280), Image.Resampling.NEAREST).save(
        tmp_path / "large.jpg", quality=95
    )
    expected = to_network(small[None], True)
    assert np.abs(read_images([tmp_path / "large.jpg"], True) - expected).mean() < 0.1


def _text(path):
    path.write_text("no image")


def _half(path):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:400])


def _transparent(path):
    Image.new("RGBA", (28, 28), (0, 0, 0, 0)).save(path)


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda path: None, "No such file"),
        (lambda path: path.mkdir(), "Is a directory"),
        (_text, "is not an image of a known format"),
        (_half, "damaged"),
        (lambda path: Image.new("L", (28, 30)).save(path), r"28×30 pixels: crop it to a square"),
        (lambda path: Image.new("L", (8, 8)).save(path), "give a square of 16 to 1024 pixels"),
        (lambda path: Image.new("L", (2000, 2000)).save(path), "give a square of 16 to 1024 pixels"),
        (lambda path: Image.new("I;16", (28, 28)).save(path), "8 bits per channel"),
        (_transparent, "transparent pixels"),
    ],
)
def test_unusable_files_are_reported_in_one_line(make, line, tmp_path):
    make(tmp_path / "x.png")
    with pytest.raises(ImageError, match=line) as error:
        read_images([tmp_path / "x.png"], True)
    assert "\n" not in str(error.value)
    assert "x.png" in str(error.value)
