"""The fields of a variant that are compiled into the kernels, and the vector memory that the kernels need."""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jax.experimental.pallas import tpu as pltpu

from model.engines.pallas.backward import Deltas
from model.engines.pallas.forward import Units
from model.engines.pallas.tiles import (
    H1_UNITS,
    H2_PAIRS,
    H2_UNITS,
    H3_PAIRS,
    H3_UNITS,
    PIXELS,
    SIZES,
    TILE,
    UNITS1,
    Tensors,
    Tile,
)
from model.names import Activation, Objective, Optimizer, Output
from model.streams import drop_threshold
from model.variants import Variant

_BESIDES = 3 * 2**20  # bytes of VMEM for registers that the compiler spills and for the predicted digits


@dataclass(frozen=True)
class Program:
    """The compiled options. Variants that differ only in other fields share a kernel."""

    activation: Activation
    output: Output
    objective: Objective
    optimizer: Optimizer = "sgd"
    shift: int = 0  # largest roll, pixels
    dropout: float = 0.0

    @staticmethod
    def training(variant: Variant) -> "Program":
        return Program(
            variant.activation,
            variant.output,
            variant.objective,
            variant.optimizer,
            variant.shift,
            variant.dropout,
        )

    @staticmethod
    def evaluation(variant: Variant) -> "Program":
        return Program(variant.activation, variant.output, variant.objective)

    @property
    def drop_below(self) -> int:
        """An output of H2 is dropped if its random bits are below this number; 0 for no dropout."""
        return drop_threshold(self.dropout)

    @property
    def keep(self) -> float:
        """Chance that an output of H2 is kept."""
        return 1.0 - self.dropout

    def states(self, tile: Tile) -> list[Tensors]:
        """Buffers in VMEM: the parameters, and AdamW's two moments."""
        tensors = [Tensors(*(_buffer(tile, size) for size in SIZES))]
        return tensors * (3 if self.optimizer == "adamw" else 1)

    def units(self, tile: Tile) -> Units:
        """Buffers in VMEM."""
        sizes = (PIXELS, H1_UNITS, H2_UNITS, H3_UNITS, H2_PAIRS if self.drop_below else 1)
        return Units(*(_buffer(tile, size) for size in sizes))

    def deltas(self, tile: Tile) -> Deltas:
        """Buffers in VMEM."""
        return Deltas(*(_buffer(tile, size) for size in (UNITS1, H2_PAIRS, H3_PAIRS)))

    def vector_memory(self) -> int:
        """Bytes of VMEM that a kernel uses at most."""
        held = [*self.states(TILE), self.units(TILE), self.deltas(TILE)]
        tiles: int = sum(buffer.shape[0] for buffers in held for buffer in buffers)
        return tiles * 4 * TILE[0] * TILE[1] + _BESIDES


def _buffer(tile: Tile, size: int) -> Any:
    return pltpu.VMEM((size, *tile), jnp.float32)
