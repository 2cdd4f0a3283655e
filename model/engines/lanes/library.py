"""Loads the native library, checks that it matches its sources, and declares its C functions.

ctypes releases the GIL during a call, and needs only a C++ compiler at build time.
"""

from ctypes import CDLL, POINTER, Structure, c_char_p, c_float, c_int32, c_uint32, c_void_p
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from model.engines.lanes.build import LIBRARY, sources_digest


class _Struct(Structure):
    """A C structure with keyword arguments. It keeps references to the arrays whose addresses it holds."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(**{name: _plain(value) for name, value in fields.items()})
        self.arrays = fields


def _plain(value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    assert value.flags.c_contiguous
    return value.ctypes.data


# Values of the enumerations in kernel.h, in their order there.
ACTIVATIONS = ("tanh", "relu", "scaled_tanh")
OUTPUTS = ("linear", "tanh", "scaled_tanh")
OPTIMIZERS = ("sgd", "adamw", "newton")


class Hyperparams(_Struct):
    """Hyperparameters of an update: `struct Hyperparams` in kernel.h."""

    _fields_ = (
        ("activation", c_int32),
        ("output", c_int32),
        ("cross_entropy", c_int32),
        ("optimizer", c_int32),
        ("weight_decay", c_float),
        ("shift", c_int32),
        ("drop_threshold", c_uint32),
        ("keep_probability", c_float),
    )


class Examples(_Struct):
    """The examples of an epoch: `struct Examples` in kernel.h."""

    _fields_ = (
        ("images", c_void_p),
        ("labels", c_void_p),
        ("learning_rates", c_void_p),
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
        ("step_scales", c_void_p),
        ("shift_keys", c_void_p),
        ("dropout_keys", c_void_p),
        ("count", c_int32),
    )


class Scores(_Struct):
    """Evaluation results of replicas: `struct Scores` in kernel.h."""

    _fields_ = (("loss", c_void_p), ("misses", c_void_p), ("predictions", c_void_p), ("margins", c_void_p))


@cache
def missing(path: Path = LIBRARY) -> str | None:
    """Why the library is unusable, in one line; None if it is usable."""
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
    """The library, with its functions declared as in kernel.h.

    Raises:
      RuntimeError: the library is `missing`.
    """
    if reason := missing(path):
        raise RuntimeError(reason)
    library = CDLL(str(path))
    library.lanes_kernel_name.restype = c_char_p
    library.lanes_kernel_name.argtypes = library.lanes_kernel_width.argtypes = (c_int32,)
    common = (c_int32, POINTER(Hyperparams), POINTER(Examples), POINTER(Replicas))
    library.lanes_train.argtypes = (*common, c_int32)
    library.lanes_evaluate.argtypes = (*common, POINTER(Scores), c_int32)
    library.lanes_curvature.argtypes = (*common, c_void_p, c_int32)
    library.lanes_draw.argtypes = (
        c_int32,
        POINTER(Hyperparams),
        POINTER(Replicas),
        c_int32,
        c_void_p,
        c_void_p,
    )
    return library


def kernels() -> list[str]:
    """Names of the kernels that this processor can run, one per instruction set, the fastest last."""
    library = load()
    return [library.lanes_kernel_name(i).decode() for i in range(library.lanes_kernel_count())]


def chosen_kernel() -> int:
    """Index of the kernel that calls use: the fastest."""
    return len(kernels()) - 1
