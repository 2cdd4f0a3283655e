"""Compute the missing shards from the wanted and the stored seeds.

Run, resume, retry and extend are this one operation.
"""

from collections.abc import Iterable, Mapping

from sweep.spec.seeds import SeedRanges
from sweep.spec.shard import Cell, Shard


def plan(
    cells: Iterable[Cell],
    wanted: SeedRanges,
    completed: Mapping[tuple[str, str], SeedRanges],
    checkpointed: Mapping[tuple[str, str], Iterable[range]],
    width: int,
) -> list[Shard]:
    """Partition the missing seeds of each cell into shards, longest first.

    Args:
      cells: what to train.
      wanted: seeds of each cell.
      completed: seeds in the store, by cell key.
      checkpointed: seeds of each shard with a checkpoint, by cell key. A shard whose seeds are all missing
        is planned unchanged for any `width`, so that its checkpoint is used.
      width: maximum number of seeds of the other shards.

    Returns:
      Shards that partition exactly the wanted seeds that are not completed.
    """
    shards = []
    for cell in cells:
        missing = wanted - completed.get(cell.key, SeedRanges())
        for seeds in sorted(checkpointed.get(cell.key, ()), key=lambda r: r.start):
            partial = SeedRanges([seeds])
            if partial and not partial - missing:
                shards.append(Shard(cell, seeds))
                missing -= partial
        shards += [Shard(cell, seeds) for seeds in missing.split(width)]
    return sorted(shards, key=lambda s: -s.work)
