"""The native library: found, checked, and its C functions with their types.

ctypes lets go of the GIL while a function runs, and asks nothing of the build but a C++ compiler.
"""

from ctypes import CDLL, POINTER, Structure, c_char_p, c_float, c_int32, c_uint32, c_void_p
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from model.engines.lanes.build import LIBRARY, sources_digest


class _Struct(Structure):
    """A C structure made from keywords. It holds the addresses of arrays, and the arrays, so that they stay."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(**{name: _plain(value) for name, value in fields.items()})
        self.arrays = fields


def _plain(value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    assert value.flags.c_contiguous
    return value.ctypes.data


class Law(_Struct):
    """What decides the mathematics of an update: `struct Law` in kernel.h."""

    _fields_ = (
        ("relu", c_int32),
        ("tanh_output", c_int32),
        ("cross_entropy", c_int32),
        ("adamw", c_int32),
        ("weight_decay", c_float),
        ("shift", c_int32),
        ("drop_below", c_uint32),
        ("keep", c_float),
    )


class Digits(_Struct):
    """An epoch of digits: `struct Digits` in kernel.h."""

    _fields_ = (
        ("images", c_void_p),
        ("labels", c_void_p),
        ("rates", c_void_p),
        ("mean_scale", c_void_p),
        ("square_scale", c_void_p),
        ("count", c_int32),
    )


class Replicas(_Struct):
    """Replicas in canonical layout: `struct Replicas` in kernel.h."""

    _fields_ = (
        ("parameters", c_void_p),
        ("means", c_void_p),
        ("squares", c_void_p),
        ("shift_keys", c_void_p),
        ("drop_keys", c_void_p),
        ("count", c_int32),
    )


class Scores(_Struct):
    """Scores of replicas: `struct Scores` in kernel.h."""

    _fields_ = (("loss", c_void_p), ("misses", c_void_p), ("predictions", c_void_p))


@cache
def missing(path: Path = LIBRARY) -> str | None:
    """Why the library cannot be used, in one line; None when it can."""
    if not path.exists():
        return "the native library was not built: install g++ or clang++, then reinstall this package"
    try:
        digest = CDLL(str(path)).lanes_sources
    except (OSError, AttributeError) as error:
        return f"the native library does not load, reinstall this package ({error})"
    digest.restype = c_char_p
    if digest().decode() != sources_digest():
        return "the native library was built from other sources: reinstall this package"
    return None


@cache
def load(path: Path = LIBRARY) -> CDLL:
    """The library, its functions declared as in kernel.h.

    Raises:
      RuntimeError: it is `missing`.
    """
    if reason := missing(path):
        raise RuntimeError(reason)
    library = CDLL(str(path))
    library.lanes_kernel_name.restype = c_char_p
    library.lanes_kernel_name.argtypes = library.lanes_kernel_width.argtypes = (c_int32,)
    told = (c_int32, POINTER(Law), POINTER(Digits), POINTER(Replicas))
    library.lanes_train.argtypes = (*told, c_int32)
    library.lanes_evaluate.argtypes = (*told, POINTER(Scores), c_int32)
    library.lanes_draw.argtypes = (c_int32, POINTER(Law), POINTER(Replicas), c_int32, c_void_p, c_void_p)
    return library


def kernels() -> list[str]:
    """The kernels that this processor can run, one for each instruction set, the fastest last."""
    library = load()
    return [library.lanes_kernel_name(i).decode() for i in range(library.lanes_kernel_count())]


def chosen_kernel() -> int:
    """The kernel that calls use: the fastest."""
    return len(kernels()) - 1
