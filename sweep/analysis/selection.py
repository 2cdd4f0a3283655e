"""Finished runs of a store, selected by filters: the input of every table, plot and the report."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from fnmatch import fnmatchcase
from functools import cached_property, reduce
from itertools import groupby
from operator import or_
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from data.dataset import Dataset
from model.names import nearest
from sweep.analysis.history import History, Quantity, history
from sweep.analysis.planned import Planned, Requested
from sweep.analysis.predictions import Predictions, reduce_predictions
from sweep.analysis.rejection import Rejection, reduce_rejection
from sweep.analysis.runs import CellId, Runs, group_runs
from sweep.errors import StoreError
from sweep.spec.seeds import SeedRanges
from sweep.spec.shard import Cell
from sweep.store.records import SweepRecord, cells, recorded_sweeps
from sweep.store.reference import Reference
from sweep.store.store import Store, StoredFile, existing

T = TypeVar("T")

COLUMNS = [  # of `schema.EPOCHS` that tables and plots read
    "variant",
    "recipe",
    "dataset",
    "seed",
    "epoch",
    "train_loss",
    "train_misses",
    "test_loss",
    "test_misses",
    "status",
]


@dataclass(frozen=True)
class Filters:
    """Filters of runs. Each is a comma-separated list of names, with optional wildcards; None selects all."""

    variants: str | None = None  # "base" under every recipe; "base,*" is every override of base
    recipes: str | None = None
    datasets: str | None = None  # names as in tables, or digests (8 hex digits)
    engines: str | None = None
    seeds: str | None = None  # "0:16"

    @classmethod
    def split(cls, options: dict[str, Any]) -> "tuple[Filters, dict[str, Any]]":
        """The filters among keyword options, and the other options."""
        known = {field.name for field in fields(cls)}
        filters = cls(**{key: value for key, value in options.items() if key in known})
        return filters, {key: value for key, value in options.items() if key not in known}

    @property
    def any(self) -> bool:
        """Whether any filter is set."""
        return any(getattr(self, field.name) is not None for field in fields(self))


@dataclass(frozen=True)
class Selection:
    """Finished runs of a root or of a reference distribution. Each part is read when it is first used.

    Args:
      store: where the runs are stored.
      filters: which of them.
      manual_dir: folder of original data files, for tables and plots that need the digits.
      history_seeds: maximum number of seeds of a cell in `histories`; None for all.

    Raises (from every property and method):
      ValueError: an unknown name (with the nearest), or no run is left.
      StoreError: a damaged root.
    """

    store: Store | Reference
    filters: Filters = Filters()
    manual_dir: str | None = None
    history_seeds: int | None = None

    @cached_property
    def files(self) -> list[StoredFile]:
        """The files with at least one selected run."""
        if not self.store.files:
            raise ValueError(f"{self.store.root}: no run has finished yet; `sweep status` shows the progress")
        chosen = self.store.files
        for what, wanted, value, match in (
            ("recipe", self.filters.recipes, _recipe, fnmatchcase),
            ("variant", self.filters.variants, _variant, matches_variant),
            ("dataset", self.filters.datasets, _dataset, fnmatchcase),
            ("engine", self.filters.engines, _engine, fnmatchcase),
        ):
            if wanted is not None:
                chosen = _filtered(self.store.files, chosen, what, wanted, value, match)
        if self.filters.seeds is not None:
            seeds = SeedRanges.parse(self.filters.seeds)
            chosen = [file for file in chosen if seeds & SeedRanges([file.seeds])]
            _require(chosen, f"seeds {seeds}")
        return chosen

    def of_root(self, root: str) -> "Selection":
        """The same selection of another root.

        Raises:
          StoreError: no sweep was run there.
        """
        return replace(self, store=existing(root))

    @cached_property
    def last_runs(self) -> list[Runs]:
        """Runs of every cell after their last epoch."""
        return group_runs(self._seeds(self.store.epochs(COLUMNS, last_only=True, files=self.files)))

    def runs(self, epoch: int | None = None) -> list[Runs]:
        """Runs of every cell after an epoch, from 1; None: the last. Cells without the epoch are left out."""
        if epoch is None:
            return self.last_runs
        longest = max(file.metadata.epochs for file in self.files)
        if not 1 <= epoch <= longest:
            raise ValueError(f"epoch {epoch}: no run is left; the longest run has epochs 1 to {longest}")
        files = [file for file in self.files if file.metadata.epochs >= epoch]
        batches = self.store.batches("epochs", COLUMNS, files)
        return group_runs(
            self._seeds(pd.concat([b[b["epoch"] == epoch] for b in batches], ignore_index=True))
        )

    @property
    def every_epoch(self) -> bool:
        """Whether all epochs are stored, not only the last one."""
        return isinstance(self.store, Store)

    def histories(self, *quantities: Quantity) -> Iterator[History]:
        """The quantities after every epoch, one cell at a time, in the order of `runs`."""
        for cell, files in self.cells():
            chosen = _first_files(files, self.history_seeds)
            batches = self.store.batches("epochs", ["seed", "epoch", *quantities], chosen)
            yield history(cell, map(self._seeds, batches), quantities)

    @cached_property
    def predictions(self) -> list[Predictions]:
        """Predicted test labels of every cell, in the order of `runs`.

        Raises:
          data.DataUnavailable: the true labels are neither in the root nor available here.
        """
        found = []
        for cell, files in self.cells():
            batches = self.store.batches("labels", ["seed", "predictions"], files)
            truth = self.truth(cell.dataset_digest)
            found.append(reduce_predictions(cell, truth, map(self._seeds, batches)))
        trained = [p for p in found if p is not None]
        _require(trained, "diverged runs, which have no predicted labels")
        return trained

    @cached_property
    def rejections(self) -> list[Rejection]:
        """Rejection rates of every cell, in the order of `runs`.

        Raises:
          data.DataUnavailable: the true labels are neither in the root nor available here.
        """
        found = []
        for cell, files in self.cells():
            batches = self.store.batches("labels", ["seed", "predictions", "margins"], files)
            n_train, truth = files[0].metadata.dataset["n_train"], self.truth(cell.dataset_digest)
            found.append(reduce_rejection(cell, n_train, truth, map(self._seeds, batches)))
        return found

    def cached(self, compute: Callable[["Selection"], T]) -> T:
        """The result of a function of this selection, computed once."""
        if compute not in self._results:
            self._results[compute] = compute(self)
        result: T = self._results[compute]
        return result

    @cached_property
    def _results(self) -> dict[Callable[..., Any], Any]:
        return {}

    def truth(self, digest: str) -> np.ndarray:
        """[m] uint8, true test labels of a data set (8 hex digits), from the root if a sweep records them.

        Raises:
          StoreError, data.DataUnavailable: as `dataset`.
        """
        for _, datasets in self._records.values():
            for entry in datasets.values():
                if entry["digest"].startswith(digest) and "test_labels" in entry:
                    return np.frombuffer(entry["test_labels"].encode(), np.uint8) - ord("0")
        return self.dataset(digest).test.labels.astype(np.uint8)

    def dataset(self, digest: str) -> Dataset:
        """A data set of the runs, loaded again and verified by its digest (8 hex digits).

        Raises:
          StoreError: no sweep records it, or the one prepared here has another digest.
          data.DataUnavailable: it is not available here.
        """
        from data import load

        for spec, datasets in self._records.values():
            for _, options in spec.cells():
                if datasets[options.key]["digest"].startswith(digest):
                    dataset = load(options, self.manual_dir)
                    if not dataset.digest.startswith(digest):
                        raise StoreError(
                            f"{options.name}: the digits prepared here (digest {dataset.digest[:8]}) are not those "
                            f"the runs were trained on ({digest}): run this command where they were trained"
                        )
                    return dataset
        raise StoreError(f"{self.store.root}: no recorded sweep has the data set {digest}")

    @cached_property
    def planned(self) -> Planned | None:
        """Seeds that the recorded sweeps request; None if a filter is set, and for a reference distribution."""
        if self.filters.any or not isinstance(self.store, Store):
            return None
        wanted: dict[Cell, list[SeedRanges]] = {}
        for spec, datasets in self._records.values():
            for cell in cells(spec, datasets):
                wanted.setdefault(cell, []).append(spec.seed_ranges)
        failed = self.store.failures.seeds()
        return {
            (cell.variant.digest[:8], cell.dataset_digest[:8]): Requested(
                variant=cell.variant.name,
                seeds=len(reduce(or_, sweeps)),
                failed=len(failed.get(cell.folder, SeedRanges())),
                looks=len(sweeps),
            )
            for cell, sweeps in wanted.items()
        }

    @property
    def _records(self) -> Mapping[str, SweepRecord]:
        """Records of the root's sweeps. A reference distribution has none."""
        return recorded_sweeps(self.store) if isinstance(self.store, Store) else {}

    def cells(self) -> list[tuple[CellId, list[StoredFile]]]:
        """The files of every cell, in the order of `runs`."""
        ordered = sorted(self.files, key=lambda file: _cell(file).order)
        return [(cell, list(files)) for cell, files in groupby(ordered, _cell)]

    def _seeds(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The rows of the selected seeds."""
        if self.filters.seeds is None:
            return rows
        inside = np.zeros(len(rows), bool)
        for r in SeedRanges.parse(self.filters.seeds).ranges:
            inside |= rows["seed"].between(r.start, r.stop - 1).to_numpy()
        return rows[inside]


def _cell(file: StoredFile) -> CellId:
    m = file.metadata
    return CellId(_variant(file), _recipe(file), _dataset(file), m.variant_digest[:8], m.dataset_digest[:8])


def _variant(file: StoredFile) -> str:
    return str(file.metadata.variant["name"])


def _recipe(file: StoredFile) -> str:
    return str(file.metadata.variant["recipe"])


def _dataset(file: StoredFile) -> str:
    return str(file.metadata.dataset["name"])


def _engine(file: StoredFile) -> str:
    return str(file.metadata.engine)


def _filtered(
    every: Sequence[StoredFile],
    chosen: Sequence[StoredFile],
    what: str,
    wanted: str,
    value: Callable[[StoredFile], str],
    match: Callable[[str, str], bool],
) -> list[StoredFile]:
    names = split_names(wanted)

    def hit(file: StoredFile, name: str) -> bool:
        by_digest = what == "dataset" and file.metadata.dataset_digest.startswith(name) and len(name) >= 8
        return by_digest or match(value(file), name)

    for name in names:
        if not any(hit(file, name) for file in every):
            known = sorted(set(map(value, every)))
            raise ValueError(f"no finished run has {what} {name!r}{nearest(name, known)}")
    kept = [file for file in chosen if any(hit(file, name) for name in names)]
    _require(kept, f"{what} {', '.join(names)}")
    return kept


def split_names(text: str) -> list[str]:
    """Names separated by commas; a comma before an override or before ",*" belongs to the name."""
    return [part.strip() for part in re.split(r",(?!\*|[^,]*=)", text)]


def matches_variant(stored: str, name: str) -> bool:
    """Whether a name selects a stored variant: an exact name, a pattern, or "base" under every recipe."""
    plain, comma, overrides = stored.partition(",")
    if name.endswith(",*"):
        return bool(comma) and matches_variant(plain, name.removesuffix(",*"))
    return fnmatchcase(stored, name) or (not overrides and plain.partition("@")[0] == name)


def _first_files(files: list[StoredFile], seeds: int | None) -> list[StoredFile]:
    """The files of the first seeds: as many as are needed to hold that number."""
    if seeds is None:
        return files
    ordered = sorted(files, key=lambda file: file.metadata.first_seed)
    held = np.cumsum([0, *(len(file.seeds) for file in ordered)])[:-1]
    return [file for file, before in zip(ordered, held, strict=True) if before < seeds]


def _require(left: Sequence[object], step: str) -> None:
    if not left:
        raise ValueError(f"no run is left after {step}: drop a filter")
