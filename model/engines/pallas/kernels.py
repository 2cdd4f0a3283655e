"""The two Pallas kernels: an epoch of training, and an evaluation, of any number of blocks of replicas.

The grid is (blocks, chunks of examples). The states of a block enter VMEM with its first chunk, stay there for the
whole epoch, and are copied back with its last chunk. Images, labels and learning rates are the same for all replicas:
they are scalars in SMEM, loaded one chunk at a time.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

from model.engines.pallas import image, objective
from model.engines.pallas.backward import Backward, Deltas
from model.engines.pallas.draws import Key, draw_dropout_mask, draw_shift
from model.engines.pallas.forward import Units, fold_background, forward
from model.engines.pallas.optimizer import AdamW, Optimizer, Sgd
from model.engines.pallas.program import Program
from model.engines.pallas.tiles import SIZES, STARTS, TILE, Ref, Tensors, Tile, repeat

CHUNK = 128  # examples in SMEM at a time


def train(
    program: Program,
    count: Array,
    pixels: Array,
    labels: Array,
    hyperparams: Array,
    keys: Array,
    states: Sequence[Array],
    tile: Tile = TILE,
    interpret: bool = False,
) -> list[Array]:
    """One epoch.

    Args:
      program: static.
      count: [1] int32, examples; the arrays below are padded to N, a multiple of CHUNK.
      pixels: [N, 2, 128] float32.
      labels: [1, N] int32.
      hyperparams: [3, N] float32: rate, decay and epsilon of each update (`optimizer.AdamW`).
      keys: [blocks, 4, sublanes, lanes] uint32: epoch keys of "shift" and of "dropout", two words each.
      states: parameters, then AdamW's two moments; each [blocks, 4880, sublanes, lanes] float32.
      tile: shape of a tile; shapes other than (8, 128) only work in the interpreter.
      interpret: run in Pallas' interpreter.

    Returns:
      The states after the epoch.
    """
    blocks, chunks = len(states[0]), len(pixels) // CHUNK
    hbm = pl.BlockSpec(memory_space=pl.ANY)
    trained: list[Array] = pl.pallas_call(
        partial(_train_kernel, program, tile),
        name="train_epoch",
        grid=(blocks, chunks),
        in_specs=[
            *_example_specs(),
            pl.BlockSpec((3, CHUNK), lambda block, chunk: (0, chunk), memory_space=pltpu.SMEM),
            pl.BlockSpec((None, 4, *tile), lambda block, chunk: (block, 0, 0, 0)),
            *[hbm] * len(states),
        ],
        out_specs=[hbm] * len(states),
        out_shape=[jax.ShapeDtypeStruct(s.shape, s.dtype) for s in states],
        scratch_shapes=[program.states(tile), program.units(tile), program.deltas(tile)],
        input_output_aliases={5 + i: i for i in range(len(states))},
        compiler_params=_compiler_params(program),
        interpret=interpret,
    )(count, pixels, labels, hyperparams, keys, *states)
    return trained


def evaluate(
    program: Program,
    count: Array,
    pixels: Array,
    labels: Array,
    params: Array,
    tile: Tile = TILE,
    interpret: bool = False,
) -> tuple[Array, Array, Array]:
    """Evaluate every replica. Arguments as for `train`; params: [blocks, 4880, sublanes, lanes].

    Returns:
      Shared tiles: sums of losses [blocks, 1, sublanes, lanes] float32, misses [blocks, 1, sublanes, lanes] int32,
      and predicted digits [blocks, N, sublanes, lanes] int32, undefined in the padding.
    """
    blocks, chunks = len(params), len(pixels) // CHUNK
    score_spec = pl.BlockSpec((None, 1, *tile), lambda block, chunk: (block, 0, 0, 0))
    scores: tuple[Array, Array, Array] = pl.pallas_call(
        partial(_evaluate_kernel, program, tile),
        name="evaluate",
        grid=(blocks, chunks),
        in_specs=[*_example_specs(), pl.BlockSpec(memory_space=pl.ANY)],
        out_specs=[
            score_spec,
            score_spec,
            pl.BlockSpec((None, CHUNK, *tile), lambda block, chunk: (block, chunk, 0, 0)),
        ],
        out_shape=[
            jax.ShapeDtypeStruct((blocks, 1, *tile), jnp.float32),
            jax.ShapeDtypeStruct((blocks, 1, *tile), jnp.int32),
            jax.ShapeDtypeStruct((blocks, len(pixels), *tile), jnp.int32),
        ],
        scratch_shapes=[program.states(tile), program.units(tile)],
        compiler_params=_compiler_params(program),
        interpret=interpret,
    )(count, pixels, labels, params)
    return scores


def _draw(program: Program, keys: Ref, step: Array, units: Units) -> None:
    """Shift the image and fill the dropout mask if the program uses them. keys: of the epoch, two words each."""
    if program.shift:
        shift = draw_shift(Key(keys[0], keys[1]), step, program.shift)
        image.roll(units.image, *shift, program.shift)
    if program.drop_below:
        draw_dropout_mask(Key(keys[2], keys[3]), step, program.drop_below, units.mask)


def _optimizer(held: Sequence[Tensors], rate: Array, decay: Array, epsilon: Array) -> Optimizer:
    if len(held) == 1:
        return Sgd(held[0], rate)
    return AdamW(held[0], held[1], held[2], rate, decay, epsilon)


def _update(
    program: Program, label: Array, params: Tensors, units: Units, deltas: Deltas, optimizer: Optimizer
) -> None:
    """One update from the image in `units`."""
    sums = forward(program.activation, program.keep, params, units)
    outputs = objective.outputs(program.output, sums)
    delta4 = objective.deltas(program.objective, program.output, outputs, label)
    backward = Backward(program.activation, program.keep, params, units, deltas, optimizer)
    backward([optimizer.scale(delta) for delta in delta4])


def _train_kernel(
    program: Program,
    tile: Tile,
    count: Ref,
    pixels: Ref,
    labels: Ref,
    hyperparams: Ref,
    keys: Ref,
    *refs: Any,
) -> None:
    """One chunk of a block. refs: the states in HBM before and after the epoch, and the buffers in VMEM."""
    held: Sequence[Tensors]
    units: Units
    deltas: Deltas
    *states, held, units, deltas = refs
    before, after = states[: len(held)], states[len(held) :]
    block, chunk = pl.program_id(0), pl.program_id(1)

    @pl.when(chunk == 0)
    def _() -> None:
        _copy_in(before, held, block)

    def update(example: Array) -> None:
        step, label = chunk * CHUNK + example, labels[0, example]
        image.show(units.image, pixels, example, tile)
        _draw(program, keys, step, units)
        optimizer = _optimizer(held, *(hyperparams[i, example] for i in range(3)))
        _update(program, label, held[0], units, deltas, optimizer)

    repeat(_examples_of_chunk(count, chunk), update)

    @pl.when(chunk == pl.num_programs(1) - 1)
    def _() -> None:
        _copy_out(held, after, block)


def _evaluate_kernel(
    program: Program,
    tile: Tile,
    count: Ref,
    pixels: Ref,
    labels: Ref,
    params: Ref,
    losses: Ref,
    misses: Ref,
    digits: Ref,
    held: Sequence[Tensors],
    units: Units,
) -> None:
    """One chunk of a block."""
    block, chunk = pl.program_id(0), pl.program_id(1)

    @pl.when(chunk == 0)
    def _() -> None:
        _copy_in([params], held, block)
        fold_background(held[0])
        losses[0] = jnp.zeros(tile, jnp.float32)
        misses[0] = jnp.zeros(tile, jnp.int32)

    def score(example: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        label = labels[0, example]
        image.show(units.image, pixels, example, tile)
        sums = forward(program.activation, 1.0, held[0], units, folded=True)
        outputs = objective.outputs(program.output, sums)
        digit = objective.predicted_digit(outputs)
        digits[example] = digit
        loss = objective.loss(program.objective, outputs, label)
        return carry[0] + loss, carry[1] + (digit != label).astype(jnp.int32)

    # Sums over a chunk, then over chunks: short sums round less than a long one.
    zeros = jnp.zeros(tile, jnp.float32), jnp.zeros(tile, jnp.int32)
    loss, missed = lax.fori_loop(0, _examples_of_chunk(count, chunk), score, zeros)
    losses[0] = losses[0] + loss
    misses[0] = misses[0] + missed


def _example_specs() -> list[pl.BlockSpec]:
    """In SMEM: the number of examples, and the pixels and labels of a chunk."""
    return [
        pl.BlockSpec(memory_space=pltpu.SMEM),
        pl.BlockSpec((CHUNK, 2, image.LANES), lambda block, chunk: (chunk, 0, 0), memory_space=pltpu.SMEM),
        pl.BlockSpec((1, CHUNK), lambda block, chunk: (0, chunk), memory_space=pltpu.SMEM),
    ]


def _compiler_params(program: Program) -> pltpu.CompilerParams:
    return pltpu.CompilerParams(vmem_limit_bytes=program.vector_memory(), disable_bounds_checks=True)


def _examples_of_chunk(count: Ref, chunk: Array) -> Array:
    return jnp.minimum(CHUNK, count[0] - chunk * CHUNK)


def _copy_in(states: Sequence[Ref], held: Sequence[Tensors], block: Array) -> None:
    """A block's states from HBM to VMEM."""
    for state, tensors in zip(states, held, strict=True):
        for start, size, buffer in zip(STARTS, SIZES, tensors, strict=True):
            pltpu.sync_copy(state.at[block, pl.ds(start, size)], buffer)


def _copy_out(held: Sequence[Tensors], states: Sequence[Ref], block: Array) -> None:
    """A block's states from VMEM to HBM."""
    for tensors, state in zip(held, states, strict=True):
        for start, size, buffer in zip(STARTS, SIZES, tensors, strict=True):
            pltpu.sync_copy(buffer, state.at[block, pl.ds(start, size)])
