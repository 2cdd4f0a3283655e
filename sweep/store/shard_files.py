"""One file per shard: checkpoints of shards in progress, tracebacks of failed ones, and kept weights."""

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import Literal

from sweep.spec.seeds import SeedRanges
from sweep.spec.shard import Shard
from sweep.store.folder import Folder

_NAME = re.compile(r"seeds-(\d{1,10})-(\d{1,10})-[0-9a-f]{8}")


@dataclass(frozen=True)
class ShardFiles:
    """The files ``KIND/VARIANT-DIGEST/DATASET-DIGEST/seeds-FIRST-LAST-ID.ENDING`` of a root.

    Every method raises StoreError if the root cannot be read or written.
    """

    folder: Folder
    kind: Literal["checkpoints", "failures", "weights"]
    ending: str

    def save(self, shard: Shard, content: bytes) -> None:
        """Create or replace a shard's file."""
        self.folder.write(self._path(shard), content)

    def load(self, shard: Shard) -> bytes | None:
        """A shard's file; None if there is none."""
        try:
            return self.folder.read(self._path(shard))
        except FileNotFoundError:
            return None

    def drop(self, shard: Shard) -> None:
        """Delete a shard's file if it exists."""
        self.folder.drop(self._path(shard))

    def paths(self, cell_folder: str = "") -> list[str]:
        """Paths of the files below the root, of all cells or of one, sorted."""
        top = f"{self.kind}/{cell_folder}".rstrip("/")
        return [f"{top}/{name}" for name in self.folder.names(top)]

    def seeds(self) -> dict[str, SeedRanges]:
        """Seeds of the shards that have a file, by cell folder. Files with another name are ignored."""
        return {folder: SeedRanges(ranges) for folder, ranges in self.shards().items()}

    def shards(self) -> dict[str, list[range]]:
        """Seeds of each shard that has a file, by cell folder. Files with another name are ignored."""
        found: dict[str, list[range]] = defaultdict(list)
        for path in self.folder.names(self.kind, self.ending):
            folder, _, name = path.rpartition("/")
            if match := _NAME.fullmatch(name):
                found[folder].append(range(int(match[1]), int(match[2]) + 1))
        return found

    def first_lines(self) -> dict[str, str]:
        """First line of each file, by path below the root."""
        return {
            path: self.folder.read(path).decode(errors="replace").partition("\n")[0] for path in self.paths()
        }

    def _path(self, shard: Shard) -> str:
        return f"{self.kind}/{shard.path}{self.ending}"
