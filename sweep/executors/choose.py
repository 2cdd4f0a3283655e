"""Select and start the executor that the settings name. Ray is imported only if it is used."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from data.dataset import Dataset
from sweep.messages import Events, LoadCheckpoint
from sweep.settings import Settings
from sweep.spec.seeds import SeedRanges
from sweep.spec.shard import Shard
from sweep.stop import Stop

Execute = Callable[[list[Shard], Mapping[str, Dataset], str, SeedRanges, LoadCheckpoint], Events]
"""Trains shards. Arguments: the shards, longest first; data sets by digest; engine name or "auto"; seeds whose
weights are kept; checkpoints."""


@contextmanager
def executor(settings: Settings, stop: Stop) -> Iterator[Execute]:
    """Start an executor, and stop it at the end of the block.

    Args:
      settings: which, and how.
      stop: ends the messages early.

    Raises:
      ConnectionError: no Ray cluster answers at the address, or Ray cannot be started.
    """
    if settings.executor == "inline":
        from sweep.executors.inline import run_inline

        yield lambda shards, datasets, engine, keep, load: run_inline(
            shards, datasets, engine, keep, settings.checkpoint_seconds, load, stop
        )
        return
    from sweep.executors.environment import set_ray_environment

    set_ray_environment(settings.address)
    from sweep.executors.connection import connect
    from sweep.executors.ray import run_on_ray

    device = None if settings.device == "auto" else settings.device
    with connect(settings.address, settings.workers) as connection:
        yield lambda shards, datasets, engine, keep, load: run_on_ray(
            connection, shards, datasets, engine, keep, device, settings.checkpoint_seconds, load, stop
        )
