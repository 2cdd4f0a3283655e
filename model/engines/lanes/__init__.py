"""Replicas in the lanes of vector registers: the fast engine for CPUs, in portable C++.

Each lane of a vector register belongs to one replica, so every instruction applies to 4, 8 or 16 replicas (SSE2
and Arm, AVX2, AVX-512). No operation mixes lanes: the bits of a replica depend neither on other replicas nor on
their number. Start reading at `epoch.cc`; `build.py` compiles it.
"""

import os
from ctypes import byref
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from model import training
from model.engines.initial import init, template
from model.engines.lanes import library
from model.network import Params
from model.streams import Stream, drop_threshold, epoch_key, stream_seed
from model.training import Evaluation, ReplicaState
from model.variants import Variant

__all__ = ["THREADS", "draws", "evaluate", "init", "margins", "threads", "train_epoch", "unsupported"]

THREADS = "LECUN1989_THREADS"  # environment variable: threads per call, default 1


def unsupported(variant: Variant | None = None) -> str | None:
    """Why this engine is unavailable here; None if it is available. It supports every variant."""
    return library.missing()


def train_epoch(
    variant: Variant, states: ReplicaState, images: np.ndarray, labels: np.ndarray, epoch: int
) -> ReplicaState:
    """See `model.engines.Engine`.

    Raises:
      ValueError: a leaf, the images or the labels have the wrong shape or dtype, or AdamW states differ in
        their number of updates.
      MemoryError: there is not enough memory.
      RuntimeError: the native library is missing.
    """
    shapes = template(variant)
    count = _check_replicas(states, shapes, "states")
    images, labels = _check_examples(images, labels)
    n = len(images)

    adamw = variant.optimizer == "adamw"
    parameters = _rows(states.params, count)
    means = squares = mean_scale = square_scale = None
    optimizer, done = states.optimizer, 0
    if adamw:
        means, squares = (_rows(optax.tree.get(optimizer, name), count) for name in ("mu", "nu"))
        done = training.updates_done(optimizer)
        mean_scale, square_scale = training.bias_corrections(done, n)

    newton = variant.optimizer == "newton"
    examples = library.Examples(
        images=images,
        labels=labels,
        learning_rates=training.learning_rates(variant, epoch, n),
        mean_scale=mean_scale,
        square_scale=square_scale,
        count=n,
    )
    replicas = library.Replicas(
        parameters=parameters,
        means=means,
        squares=squares,
        step_scales=_step_scales(variant, parameters, images) if newton else None,
        shift_keys=_epoch_keys(variant, states.seed, "shift", epoch) if variant.shift else None,
        dropout_keys=_epoch_keys(variant, states.seed, "dropout", epoch) if variant.dropout else None,
        count=count,
    )
    _call("train", byref(_hyperparams(variant)), byref(examples), byref(replicas), threads())

    if means is not None and squares is not None:
        updates = np.full(count, done + n, np.int32)
        moments = {"mu": _tree(means, shapes.params), "nu": _tree(squares, shapes.params)}
        optimizer = optax.tree.set(optimizer, count=updates, **moments)
    return ReplicaState(states.seed, _tree(parameters, shapes.params), optimizer)


def evaluate(variant: Variant, params: Params, images: np.ndarray, labels: np.ndarray) -> Evaluation:
    """See `model.engines.Engine`.

    Raises:
      ValueError: a leaf, the images or the labels have the wrong shape or dtype.
      MemoryError: there is not enough memory.
      RuntimeError: the native library is missing.
    """
    return _scores(variant, params, images, labels, None)


def margins(variant: Variant, params: Params, images: np.ndarray) -> np.ndarray:
    """See `model.engines.Engine`. Raises the errors of `evaluate`."""
    result = np.empty((len(jax.tree.leaves(params)[0]), len(images)), np.float32)
    _scores(variant, params, images, np.zeros(len(images), np.int32), result)
    result[~np.isfinite(result)] = np.nan
    with np.errstate(over="ignore"):  # beyond the range of float16 is infinite
        return result.astype(np.float16)


def _scores(
    variant: Variant, params: Params, images: np.ndarray, labels: np.ndarray, margins: np.ndarray | None
) -> Evaluation:
    """The evaluation; also writes `margins` [R, N] float32 if given."""
    count = _check_replicas(params, template(variant).params, "params")
    images, labels = _check_examples(images, labels)
    parameters = _rows(params, count)
    loss, misses = np.empty(count, np.float64), np.empty(count, np.int32)
    predictions = np.empty((count, len(images)), np.int8)

    hyperparams = _hyperparams(variant)
    examples = library.Examples(images=images, labels=labels, count=len(images))
    replicas = library.Replicas(parameters=parameters, count=count)
    scores = library.Scores(loss=loss, misses=misses, predictions=predictions, margins=margins)
    _call("evaluate", byref(hyperparams), byref(examples), byref(replicas), byref(scores), threads())
    return Evaluation(loss.astype(np.float32), misses, predictions)


def draws(variant: Variant, seeds: np.ndarray, epoch: int, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Random draws of an update, for tests: shifts [R, 2] int32, dropout mask of H2 [R, 192] bool (True: kept)."""
    shift_keys, dropout_keys = (_epoch_keys(variant, seeds, name, epoch) for name in ("shift", "dropout"))
    shifts, dropout_mask = np.empty((len(seeds), 2), np.int32), np.empty((len(seeds), 192), np.uint8)
    replicas = library.Replicas(shift_keys=shift_keys, dropout_keys=dropout_keys, count=len(seeds))
    _call(
        "draw",
        byref(_hyperparams(variant)),
        byref(replicas),
        step,
        shifts.ctypes.data,
        dropout_mask.ctypes.data,
    )
    return shifts, dropout_mask.astype(bool)


def threads() -> int:
    """Number of threads that a call uses.

    Raises:
      ValueError: the environment variable is not a whole number from 1.
    """
    value = os.environ.get(THREADS, "1")
    if not value.isdecimal() or int(value) < 1:
        raise ValueError(f"{THREADS} = {value!r} is not a number of cores: give a whole number from 1")
    return int(value)


def _call(function: str, *arguments: Any) -> None:
    native = library.load()
    if getattr(native, f"lanes_{function}")(library.chosen_kernel(), *arguments):
        raise MemoryError("not enough memory for a block of replicas")


def _step_scales(variant: Variant, parameters: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Factors of the learning rate in an epoch of "newton", as `training.step_scales`: [R, 9760] float32."""
    images = images[: variant.curvature_digits]
    curvature = np.empty_like(parameters)
    examples = library.Examples(images=images, count=len(images))
    replicas = library.Replicas(parameters=parameters, count=len(parameters))
    hyperparams = _hyperparams(variant)
    _call("curvature", byref(hyperparams), byref(examples), byref(replicas), curvature.ctypes.data, threads())
    scales: np.ndarray = 1 / (np.float32(variant.damping) + curvature)
    return scales


def _hyperparams(variant: Variant) -> library.Hyperparams:
    return library.Hyperparams(
        activation=library.ACTIVATIONS.index(variant.activation),
        output=library.OUTPUTS.index(variant.output),
        cross_entropy=variant.objective == "cross_entropy",
        optimizer=library.OPTIMIZERS.index(variant.optimizer),
        weight_decay=variant.weight_decay,
        shift=variant.shift,
        drop_threshold=drop_threshold(variant.dropout),
        keep_probability=1.0 - variant.dropout,
    )


def _check_replicas(tree: Any, template: Any, name: str) -> int:
    """Number of replicas in a tree whose leaves are those of the template with a leading axis."""
    got, want = jax.tree.structure(tree), jax.tree.structure(template)
    if str(got) != str(want):
        raise ValueError(f"{name} is not this variant's tree: {got}, should be {want}")
    leaves = jax.tree.leaves_with_path(tree)
    count = np.shape(leaves[0][1])[0] if np.ndim(leaves[0][1]) else 0
    for (path, leaf), one in zip(leaves, jax.tree.leaves(template), strict=True):
        if np.shape(leaf) != (count, *one.shape) or leaf.dtype != one.dtype or count == 0:
            raise ValueError(
                f"{name}{jax.tree_util.keystr(path)} is {leaf.dtype} {np.shape(leaf)}, should be {one.dtype} "
                f"with shape {('R', *one.shape)}, R the same from 1 in all leaves".replace("'R'", "R")
            )
    return count


def _check_examples(images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The images and labels as contiguous arrays."""
    images, labels = np.asarray(images), np.asarray(labels)
    n = len(images) if images.ndim else 0
    if n == 0 or images.shape != (n, 16, 16) or images.dtype != np.float32:
        raise ValueError(f"images are {images.dtype} {images.shape}, should be float32 (N, 16, 16), N from 1")
    if labels.shape != (n,) or labels.dtype != np.int32:
        raise ValueError(f"labels are {labels.dtype} {labels.shape}, should be int32 ({n},)")
    if labels.min() < 0 or labels.max() > 9:
        raise ValueError(f"labels range from {labels.min()} to {labels.max()}, should be 0 to 9")
    return np.ascontiguousarray(images), np.ascontiguousarray(labels)


def _rows(params: Params, count: int) -> np.ndarray:
    """A parameter tree with leaves [R, …] as a new array [R, 9760], in the order of shape.h."""
    return np.concatenate([np.reshape(leaf, (count, -1)) for leaf in jax.tree.leaves(params)], axis=1)


def _tree(rows: np.ndarray, template: Params) -> Params:
    """The inverse of `_rows`."""
    leaves, structure = jax.tree.flatten(template)
    parts = np.split(rows, np.cumsum([leaf.size for leaf in leaves])[:-1], axis=1)
    shaped = [part.reshape(-1, *leaf.shape) for part, leaf in zip(parts, leaves, strict=True)]
    tree: Params = jax.tree.unflatten(structure, shaped)
    return tree


def _epoch_keys(variant: Variant, seeds: Any, stream: Stream, epoch: int) -> np.ndarray:
    """Key of one epoch of a stream for each replica: [R, 2] uint32."""
    own = stream_seed(variant, stream, np.asarray(seeds, np.uint32))
    keys = jax.vmap(lambda seed: epoch_key(seed, stream, jnp.int32(epoch)))(own)
    return np.asarray(jax.random.key_data(keys))
