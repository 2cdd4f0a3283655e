"""What an engine promises, and the table of engines.

An engine trains and evaluates many replicas at once. All engines share one canonical state, a
`model.training.ReplicaState` whose leaves carry a leading replica axis, so that initialisation, checkpoints
and results are written once. `vmap` is the definition of correct; every other engine is a faster spelling of
the same two functions, held to it by ``tests/model/test_engines.py``. This file loads no engine.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from model.names import nearest
from model.variants import Variant

if TYPE_CHECKING:
    import numpy as np

    from model.training import Evaluation, Params, ReplicaState


class Engine(Protocol):
    """Two pure functions over replicas, and what they can serve. Engines are modules."""

    def unsupported(self, variant: Variant | None = None) -> str | None:
        """Why this engine cannot serve here (or cannot serve a variant); None when it can."""

    def train_epoch(
        self,
        variant: Variant,
        states: "ReplicaState",
        images: "np.ndarray",
        labels: "np.ndarray",
        epoch: int,
    ) -> "ReplicaState":
        """One epoch of every replica.

        Args:
          variant: decides the mathematics.
          states: leaves [R, …]; R is any number from 1.
          images: [N, 16, 16] float32 in [-1, 1].
          labels: [N] int32 in 0..9.
          epoch: from 1.
        """

    def evaluate(
        self, variant: Variant, params: "Params", images: "np.ndarray", labels: "np.ndarray"
    ) -> "Evaluation":
        """Score of every replica: loss [R], misses [R], predictions [R, N], as NumPy arrays."""


NARROWEST_BLOCK = 16
_REPLICA_BYTES = (
    16 * 2**20
)  # of an accelerator's memory, with optimiser, scores and what XLA keeps beside them

ENGINES: dict[str, str] = {
    "lanes": "replicas in the lanes of a processor's vectors, in C++: the fast one on a CPU",
    "vmap": "jax.vmap of the one-replica program, on any device: the definition of correct",
}


def block_width(memory: int) -> int:
    """Replicas that an accelerator trains at once: a power of two that fills half its memory at most.

    It depends on nothing else, so that a seed's bits depend on no neighbour.

    Args:
      memory: bytes.
    """
    return max(NARROWEST_BLOCK, 2 ** ((memory // (2 * _REPLICA_BYTES)).bit_length() - 1))


def load_engine(name: str) -> Engine:
    """The engine's module.

    Raises:
      ValueError: unknown name, with the nearest one.
    """
    if name not in ENGINES:
        raise ValueError(f"unknown engine {name!r}{nearest(name, ENGINES)}")
    return cast(Engine, import_module(f"model.engines.{name}"))


def choose(name: str, variant: Variant, platform: str) -> tuple[str, str | None]:
    """Which engine trains a variant here.

    Args:
      name: an engine's name, or "auto": the fastest that can serve.
      variant: what is to be trained.
      platform: of the device at hand: "cpu", "gpu" or "tpu".

    Returns:
      The engine's name, and with "auto" one line on why a faster one was passed over, if so.

    Raises:
      ValueError: unknown name, or the engine asked for cannot serve.
    """
    if name != "auto":
        if reason := load_engine(name).unsupported(variant):
            raise ValueError(f"engine {name!r} cannot train {variant.name} here: {reason}")
        return name, None
    if platform != "cpu":
        return "vmap", None
    reason = load_engine("lanes").unsupported(variant)
    return ("vmap", f"engine 'lanes' cannot serve here, 'vmap' does: {reason}") if reason else ("lanes", None)
