"""Classify images with the kept weights of a variant."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from model.names import nearest
from model.parameters import PARAMETERS, to_tree
from model.variants import Variant
from sweep.errors import StoreError
from sweep.spec.seeds import SeedRanges
from sweep.store.store import Store
from sweep.store.weights import load_weights

HOW_TO_KEEP = "`sweep run` with --keep-weights 0:8 stores those of seeds 0 to 7"


@dataclass(frozen=True)
class KeptNetworks:
    """Trained networks of one variant on one data set.

    Attributes:
      variant: the variant.
      dataset: name of the data set, as in tables.
      antialias: of the resize of its digits.
      seeds: of the R networks, ascending. Diverged runs are left out.
      diverged: seeds of diverged runs.
      params: Flax tree, leaves [R, …].
    """

    variant: Variant
    dataset: str
    antialias: bool
    seeds: tuple[int, ...]
    diverged: tuple[int, ...]
    params: dict[str, Any]

    def outputs(self, images: np.ndarray) -> np.ndarray:
        """The ten outputs: [R, N, 10] float32. images: [N, 16, 16] float32 in [-1, 1]."""
        from model.engines import vmap

        return vmap.outputs(self.variant, self.params, images)


def kept_networks(store: Store, variant: str, dataset: str | None = None) -> KeptNetworks:
    """Load every stored network of a variant.

    Args:
      store: the root.
      variant: name as in tables.
      dataset: name of the data set as in tables; None if the variant has weights for one only.

    Raises:
      StoreError: no such weights, weights for several data sets, or a damaged file.
    """
    by_dataset = _by_dataset(store, variant)
    if dataset is None and len(by_dataset) > 1:
        names = ", ".join(by_dataset)
        raise StoreError(f"{variant} has weights for the data sets {names}: choose one with --dataset")
    name = next(iter(by_dataset)) if dataset is None else dataset
    if name not in by_dataset:
        raise StoreError(f"{variant} has no weights for the data set {name}{nearest(name, by_dataset)}")
    rows: dict[int, dict[str, Any]] = {}
    for path in by_dataset[name]:
        table, metadata = load_weights(store, path)
        finished = store.completed().get(metadata.key, SeedRanges())
        rows |= {row["seed"]: row for row in table.to_pylist() if row["seed"] in finished}
    seeds = sorted(seed for seed, row in rows.items() if row["bias1"] is not None)
    if not rows:
        raise StoreError(f"{variant}: no run with weights on {name} is finished: run the sweep again")
    if not seeds:
        raise StoreError(f"all {len(rows)} runs of {variant} with weights on {name} diverged")
    return KeptNetworks(
        variant=Variant.from_stored(metadata.variant),
        dataset=name,
        antialias=metadata.dataset.get("options", {}).get("antialias", True),
        seeds=tuple(seeds),
        diverged=tuple(sorted(rows.keys() - set(seeds))),
        params=to_tree({p: np.array([rows[seed][p] for seed in seeds], np.float32) for p in PARAMETERS}),
    )


def _by_dataset(store: Store, variant: str) -> dict[str, list[str]]:
    """Paths of a variant's weights files by data set."""
    found: dict[str, dict[str, list[str]]] = {}
    for path in store.weights.paths():
        if not path.endswith(".parquet"):
            continue
        _, metadata = load_weights(store, path)
        datasets = found.setdefault(metadata.variant["name"], {})
        datasets.setdefault(metadata.dataset["name"], []).append(path)
    if not found:
        raise StoreError(f"{store.root}: no weights are stored; {HOW_TO_KEEP}")
    if variant not in found:
        raise StoreError(
            f"{store.root}: no weights of {variant!r} are stored{nearest(variant, found)}; {HOW_TO_KEEP}"
        )
    return found[variant]


@dataclass(frozen=True)
class Classified:
    """One image classified by R networks.

    Attributes:
      digit: the digit of the plurality of the networks; the smallest of several.
      votes: [10] int, networks that choose each digit.
      outputs: [R, 10] float32.
    """

    digit: int
    votes: np.ndarray
    outputs: np.ndarray

    @property
    def margin(self) -> float:
        """Largest minus second largest output, mean over the networks."""
        ascending = np.sort(self.outputs, axis=1)
        return float((ascending[:, -1] - ascending[:, -2]).mean())


def classify(networks: KeptNetworks, images: np.ndarray, seed: int | None = None) -> list[Classified]:
    """Classify images [N, 16, 16] by the network of one seed; None: by a vote of all.

    Raises:
      StoreError: the seed has no weights.
    """
    outputs = networks.outputs(images)
    if seed is not None:
        outputs = outputs[[_index(networks, seed)]]
    found = []
    for answers in np.moveaxis(outputs, 1, 0):
        votes = np.bincount(answers.argmax(axis=1), minlength=10)
        found.append(Classified(int(votes.argmax()), votes, answers))
    return found


def _index(networks: KeptNetworks, seed: int) -> int:
    if seed in networks.diverged:
        raise StoreError(f"{networks.variant.name}: the run of seed {seed} diverged, so it has no weights")
    if seed not in networks.seeds:
        kept = SeedRanges(range(s, s + 1) for s in networks.seeds)
        raise StoreError(
            f"{networks.variant.name}: the weights of seed {seed} are not stored, those of {kept} are"
        )
    return networks.seeds.index(seed)
