"""The runs of a selection as trackers receive them: parameters, tags, and metrics after every epoch."""

import hashlib
import warnings
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from model.variants import IDENTITY
from sweep.analysis.history import LOSS, MISSES, History
from sweep.analysis.selection import Selection
from sweep.spec.seeds import SeedRanges
from sweep.store.schema import DIVERGED, FileMetadata
from sweep.store.store import StoredFile

Per = Literal["seed", "variant"]
PER: tuple[str, ...] = get_args(Per)

METRICS = (  # of `schema.EPOCHS`
    "learning_rate",
    "train_loss",
    "train_error",
    "train_misses",
    "test_loss",
    "test_error",
    "test_misses",
)


@dataclass(frozen=True)
class TrackerRun:
    """One run of a tracker: one seed of a variant, or a variant with all its seeds.

    Attributes:
      key: 32 hex digits; equal for equal runs in every export.
      name: for people, such as "base, seed 3".
      variant: its variant, by which trackers group runs.
      parameters: hyperparameters, data set and seeds.
      tags: digests, engine, device, versions and status.
      metrics: by name, [epochs] float64; NaN where a run had diverged.
      started: when the training started.
      seconds: duration of the training.
    """

    key: str
    name: str
    variant: str
    parameters: Mapping[str, str | int | float]
    tags: Mapping[str, str]
    metrics: Mapping[str, np.ndarray]
    started: datetime
    seconds: float

    @property
    def epochs(self) -> int:
        """Number of epochs."""
        return len(next(iter(self.metrics.values())))

    def time_of(self, epoch: int) -> float:
        """Unix time of the end of an epoch, if all epochs took the same time."""
        return self.started.timestamp() + self.seconds * epoch / self.epochs

    def defined(self, epoch: int) -> dict[str, float]:
        """The metrics after an epoch (from 1) that are not NaN."""
        values = {name: float(column[epoch - 1]) for name, column in self.metrics.items()}
        return {name: value for name, value in values.items() if not np.isnan(value)}


def keys(data: Selection, per: Per) -> list[str]:
    """The key of every run of a selection. Reads no rows."""
    if per == "variant":
        return [_key(files[0].metadata, seeds) for files, seeds in _variants(data)]
    return list(dict.fromkeys(key for file in data.files for key in _seed_keys(data, file).values()))


def tracker_runs(data: Selection, per: Per, without: Collection[str]) -> Iterator[TrackerRun]:
    """The runs of a selection whose keys are not in `without`, one at a time."""
    yield from (_seed_runs if per == "seed" else _variant_runs)(data, set(without))


def _seed_runs(data: Selection, seen: set[str]) -> Iterator[TrackerRun]:
    for file in data.files:
        new = {seed: key for seed, key in _seed_keys(data, file).items() if key not in seen}
        seen.update(new.values())
        if not new:
            continue
        rows = data.store.epochs(["seed", "epoch", "status", *METRICS], files=[file]).sort_values("epoch")
        for seed, key in new.items():
            yield _seed_run(file.metadata, seed, key, rows[rows["seed"] == seed])


def _seed_keys(data: Selection, file: StoredFile) -> dict[int, str]:
    """The key of each selected seed of a file."""
    return {
        seed: _key(file.metadata, SeedRanges([range(seed, seed + 1)]))
        for r in _seeds(data, file).ranges
        for seed in r
    }


def _seed_run(described: FileMetadata, seed: int, key: str, rows: pd.DataFrame) -> TrackerRun:
    status = str(rows["status"].iloc[-1])
    return TrackerRun(
        key=key,
        name=f"{described.variant['name']}, seed {seed}",
        variant=described.variant["name"],
        parameters=_parameters(described) | {"seed": seed},
        tags=_tags([described]) | {"status": status},
        metrics={name: rows[name].to_numpy(np.float64, na_value=np.nan) for name in METRICS},
        started=datetime.fromisoformat(described.started),
        seconds=described.seconds,
    )


def _variant_runs(data: Selection, seen: set[str]) -> Iterator[TrackerRun]:
    histories = data.histories(*MISSES.values(), *LOSS.values())
    for (files, seeds), history in zip(_variants(data), histories, strict=True):
        described = [file.metadata for file in files]
        key = _key(described[0], seeds)
        if key in seen:
            continue
        name = described[0].variant["name"]
        diverged = int(np.sum(~history.finished))
        yield TrackerRun(
            key=key,
            name=f"{name}, seeds {seeds}",
            variant=name,
            parameters=_parameters(described[0]) | {"seeds": str(seeds)},
            tags=_tags(described) | {"status": f"{diverged} {DIVERGED}" if diverged else "ok"},
            metrics=_statistics(history),
            started=min(datetime.fromisoformat(m.started) for m in described),
            seconds=sum(m.seconds for m in described),
        )


def _statistics(history: History) -> dict[str, np.ndarray]:
    """Statistics over the runs that have not diverged, after every epoch."""
    found = {"n_ok": np.sum(~np.isnan(history.misses("test")), axis=0).astype(np.float64)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # epochs with less than two runs
        for name, values in history.values.items():
            exact = values.astype(np.float64)
            found |= {
                f"{name}_mean": np.nanmean(exact, axis=0),
                f"{name}_sd": np.nanstd(exact, axis=0, ddof=1),
                f"{name}_min": np.nanmin(exact, axis=0),
                f"{name}_median": np.nanmedian(exact, axis=0),
                f"{name}_max": np.nanmax(exact, axis=0),
            }
    return found


def _variants(data: Selection) -> list[tuple[list[StoredFile], SeedRanges]]:
    """The files and the selected seeds of each cell, in the order of `Selection.histories`."""
    return [
        (files, SeedRanges([r for file in files for r in _seeds(data, file).ranges]))
        for _, files in data.cells()
    ]


def _seeds(data: Selection, file: StoredFile) -> SeedRanges:
    """The selected seeds of a file."""
    seeds = SeedRanges([file.seeds])
    return seeds & SeedRanges.parse(data.filters.seeds) if data.filters.seeds is not None else seeds


def _parameters(described: FileMetadata) -> dict[str, Any]:
    variant = IDENTITY.by_field(described.variant)
    name = variant.pop("name")
    dataset = {key: described.dataset[key] for key in ("n_train", "n_test")}
    return {"variant": name, **variant, "dataset": described.dataset["name"], **dataset}


def _tags(described: list[FileMetadata]) -> dict[str, str]:
    """Provenance; several values of one cell are joined by " + "."""

    def joined(values: Iterator[str]) -> str:
        return " + ".join(sorted(set(values)))

    return {
        "variant_digest": described[0].variant_digest[:8],
        "dataset_digest": described[0].dataset_digest[:8],
        "engine": joined(m.engine for m in described),
        "device": joined(m.device for m in described),
        "code": joined(m.code for m in described),
        "versions": joined(", ".join(f"{k} {v}" for k, v in sorted(m.versions.items())) for m in described),
    }


def _key(described: FileMetadata, seeds: SeedRanges) -> str:
    text = f"{described.variant_digest}:{described.dataset_digest}:{seeds}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]
