"""Train shards one after the other in this process, for tests and debugging. Errors propagate to the caller."""

from collections.abc import Mapping

from data.dataset import Dataset
from model.numerics import configure
from sweep.messages import Events, Finished, LoadCheckpoint, Progress
from sweep.spec.seeds import SeedRanges
from sweep.spec.shard import Shard
from sweep.stop import Stop


def run_inline(
    shards: list[Shard],
    datasets: Mapping[str, Dataset],
    engine: str,
    keep_weights: SeedRanges,
    checkpoint_seconds: float,
    load_checkpoint: LoadCheckpoint,
    stop: Stop,
) -> Events:
    """Train shards on one CPU core.

    Args:
      shards: in the order in which they are trained.
      datasets: by digest.
      engine: name, or "auto".
      keep_weights: seeds whose final weights are returned.
      checkpoint_seconds: minimum time between two checkpoints of a shard.
      load_checkpoint: loads the last checkpoint of a shard.
      stop: ends the stream early, after a last checkpoint.

    Yields:
      The messages of `sweep.worker.worker.run_shard`.
    """
    configure(platform="cpu", threads=1)
    from sweep.worker.worker import run_shard  # imports JAX

    for shard in shards:
        dataset = datasets[shard.cell.dataset_digest]
        for message in run_shard(
            shard,
            dataset,
            engine,
            load_checkpoint(shard),
            checkpoint_seconds,
            keep_weights,
            lambda: stop.requested,
        ):
            yield shard, message
            saved = isinstance(message, Finished) or (isinstance(message, Progress) and message.checkpoint)
            if saved and stop.requested:
                return
