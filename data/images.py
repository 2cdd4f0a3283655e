"""Read image files of single digits as inputs of the network."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from data.dataset import SIDE
from data.resize import to_network

MAX_SIDE = 1024  # pixels


class ImageError(ValueError):
    """A file that cannot be used as an image of a digit. The message is one line."""


def read_images(paths: Sequence[Path], antialias: bool, invert: bool = False) -> np.ndarray:
    """Images as the network receives them, resized as the digits of the data sets.

    Args:
      paths: files of any format that Pillow reads, each a square of 16 to 1024 pixels. Colours are converted to grey.
      antialias: of the resize, as in the data set on which the network was trained.
      invert: the digits are dark on a light background. The network expects light ink on black.

    Returns:
      [N, 16, 16] float32 in [-1, 1].

    Raises:
      ImageError: a file is missing, is no image, is not square, or has another size or transparent pixels.
    """
    return np.concatenate([to_network(_read(path, invert)[None], antialias) for path in paths])


def looks_inverted(image: np.ndarray) -> bool:
    """Whether most pixels at the border of an input [16, 16] are light: dark ink on a light background."""
    border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    return bool(np.median(border) > 0)


def _read(path: Path, invert: bool) -> np.ndarray:
    """[side, side] uint8; 0 is background."""
    try:
        with Image.open(path) as opened:
            _check(path, opened)
            grey = ImageOps.exif_transpose(opened).convert("L")
    except UnidentifiedImageError:
        raise ImageError(f"{path}: is not an image of a known format, such as PNG or JPEG") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        if isinstance(error, ImageError):
            raise
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "the image is damaged"
        raise ImageError(f"{path}: {reason}") from None
    pixels = np.asarray(grey, np.uint8)
    return 255 - pixels if invert else pixels


def _check(path: Path, image: Image.Image) -> None:
    width, height = image.size
    if width != height:
        raise ImageError(f"{path}: is {width}×{height} pixels: crop it to a square around the digit")
    if not SIDE <= width <= MAX_SIDE:
        raise ImageError(f"{path}: is {width}×{height} pixels: give a square of {SIDE} to {MAX_SIDE} pixels")
    if image.mode not in ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"):
        raise ImageError(f"{path}: has pixels of mode {image.mode}: save it with 8 bits per channel")
    if image.has_transparency_data and image.convert("RGBA").getchannel("A").getextrema() != (255, 255):
        raise ImageError(f"{path}: has transparent pixels: save it without transparency")
