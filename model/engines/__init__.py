"""The engine interface and the registry of engines. Standard library only; no engine is imported here.

An engine trains and evaluates many replicas at once. All engines share one state format, a
`model.training.ReplicaState` whose leaves have a leading replica axis, so that initialisation, checkpoints
and results do not depend on the engine. `vmap` is the reference implementation; every other engine is an
optimised implementation of the same functions, verified against it by ``tests/model/test_engines.py``.

To add an engine: a line in `ENGINES`, a module of that name in this package, and the contract test.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Literal, Protocol, cast

from model.names import nearest
from model.variants import Variant

if TYPE_CHECKING:
    import numpy as np

    from model.network import Params
    from model.training import Evaluation, ReplicaState

Platform = Literal["cpu", "gpu", "tpu"]  # as JAX names its back ends


class Engine(Protocol):
    """The functions that an engine's module provides. All are pure; R is any number of replicas from 1."""

    def unsupported(self, variant: Variant | None = None) -> str | None:
        """Why this engine cannot run on this machine, or cannot train `variant`, in one line; None if it can."""

    def init(self, variant: Variant, seeds: "np.ndarray") -> "ReplicaState":
        """Untrained replicas, bit-identical in every engine: `model.engines.initial.init`."""

    def train_epoch(
        self,
        variant: Variant,
        states: "ReplicaState",
        images: "np.ndarray",
        labels: "np.ndarray",
        epoch: int,
    ) -> "ReplicaState":
        """Train every replica for one epoch.

        Args:
          variant: activation, objective, optimizer and the other hyperparameters.
          states: leaves [R, …]; not modified.
          images: [N, 16, 16] float32 in [-1, 1], in presentation order.
          labels: [N] int32 in 0..9.
          epoch: from 1.

        Returns:
          The states after N updates. A replica's bits depend neither on R nor on the other replicas.
        """

    def evaluate(
        self, variant: Variant, params: "Params", images: "np.ndarray", labels: "np.ndarray"
    ) -> "Evaluation":
        """Evaluate every replica on one split.

        Args:
          variant: as in `train_epoch`.
          params: leaves [R, …].
          images: [N, 16, 16] float32.
          labels: [N] int32.

        Returns:
          NumPy arrays: loss [R], misses [R], predictions [R, N].
        """

    def margins(self, variant: Variant, params: "Params", images: "np.ndarray") -> "np.ndarray":
        """Largest minus second largest output of each image.

        Args:
          variant: as in `train_epoch`.
          params: leaves [R, …].
          images: [N, 16, 16] float32.

        Returns:
          [R, N] float16; NaN where one of them is not finite, infinite beyond 65,504.
        """


@dataclass(frozen=True)
class EngineInfo:
    """Properties of an engine that are known without importing it."""

    description: str
    platforms: tuple[Platform, ...]  # where engine "auto" selects it
    width: Callable[[int], int]  # replicas per shard that fill a device with this many bytes of memory
    module: str | None = None  # with the functions of `Engine`; None: the module of that name in this package


CPU_WIDTH = 16  # replicas: one vector register of each, and short intervals between checkpoints
PALLAS_WIDTH = 512  # replicas: one register of a TPU's vector unit holds two numbers of each
WIDEST_BLOCK = 2048  # replicas: wider blocks are not faster per replica, and blocks are padded to their width
_REPLICA_BYTES = 4 * 2**20  # accelerator memory per replica in `vmap`, ten times what its programs need


def block_width(memory: int) -> int:
    """Replicas that `vmap` trains at once on an accelerator: a power of two, in at most half its memory.

    It depends on nothing else, so that a replica's bits do not depend on the other replicas.

    Args:
      memory: bytes; 0 if unknown, which gives the smallest width.
    """
    fitting = memory // (2 * _REPLICA_BYTES)
    return min(max(CPU_WIDTH, 1 << max(0, fitting.bit_length() - 1)), WIDEST_BLOCK)


# In order of preference: "auto" selects the first engine that lists the platform and supports the variant.
ENGINES: dict[str, EngineInfo] = {
    "lanes": EngineInfo("C++ for CPUs, replicas in SIMD lanes", ("cpu",), lambda memory: CPU_WIDTH),
    "pallas": EngineInfo("Pallas for TPUs, weights in vector memory", ("tpu",), lambda memory: PALLAS_WIDTH),
    "vmap": EngineInfo("jax.vmap, any device, reference implementation", ("cpu", "gpu", "tpu"), block_width),
}


class EngineUnavailable(ValueError):
    """An engine does not exist, or does not support a variant on this machine. The message is one line."""


def unsupported_parts(variant: Variant) -> str | None:
    """Parts of the recipe "paper" that a variant uses: the reason of an engine that lacks them; None without."""
    used = {variant.activation, variant.output, variant.optimizer} & {"scaled_tanh", "newton"}
    return f"it does not implement {' and '.join(sorted(used))}" if used else None


def preferred_width(platform: Platform, memory: int) -> int:
    """Replicas per shard that fill a device under engine "auto".

    Args:
      platform: the device's.
      memory: bytes of one device.
    """
    engine = next(e for e in ENGINES.values() if platform in e.platforms)
    return engine.width(memory)


def load_engine(name: str) -> Engine:
    """Import an engine.

    Raises:
      EngineUnavailable: unknown name; the message suggests the nearest one.
    """
    if name not in ENGINES:
        raise EngineUnavailable(f"unknown engine {name!r}{nearest(name, ENGINES)}")
    return cast(Engine, import_module(ENGINES[name].module or f"model.engines.{name}"))


def choose(name: str, variant: Variant, platform: str) -> tuple[str, str | None]:
    """Select the engine that trains a variant on this machine.

    Args:
      name: an engine's name, or "auto": the fastest engine that supports the variant.
      variant: the variant to train.
      platform: "cpu", "gpu" or "tpu".

    Returns:
      The engine's name, and with "auto" one line on why a faster engine was not selected, if so.

    Raises:
      EngineUnavailable: unknown name, or the named engine does not support the variant on this machine.
    """
    if name != "auto":
        if reason := load_engine(name).unsupported(variant):
            raise EngineUnavailable(f"engine {name!r} cannot train {variant.name} here: {reason}")
        return name, None
    skipped = None
    for candidate, engine in ENGINES.items():
        if platform not in engine.platforms:
            continue
        reason = load_engine(candidate).unsupported(variant)
        if reason is None:
            return candidate, skipped and f"{skipped}; using {candidate!r}"
        skipped = skipped or f"engine {candidate!r} is not available: {reason}"
    raise EngineUnavailable(f"no engine trains {variant.name} on {platform}: {skipped}")
