"""`sweep merge` joins roots without changing a stored run, and writes nothing if a file is damaged."""

import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweep.driver.driver import train
from sweep.spec.seeds import SeedRanges
from sweep.spec.spec import parse
from sweep.store import lease
from sweep.store.check import examine
from sweep.store.records import recorded_sweeps
from sweep.store.store import Store
from tests.simulation.workers import Workers
from tests.sweep.analysis.stored import stored
from tests.sweep.cli.command import sweep
from tests.sweep.small import assert_same_rows, rows
from tests.sweep.store.test_check import VERSION_1, files

DATA = "d" * 64


def trained(
    root: Path, seeds: str = "0:6", width: int = 3, variants: str = "base", digest: str = DATA
) -> Path:
    spec = parse({"variants": variants, "seeds": seeds, "set": {"epochs": 3}, "shard_width": width})
    store = Store(str(root))
    store.open_for_writing()
    datasets = {options.key: {"digest": digest, "name": "mnist5k"} for _, options in spec.cells()}
    train(spec, store, datasets, Workers(random.Random(0), 0.0))
    return root


def merge(target: Path, *sources: Path, code: int = 0) -> str:
    ended = sweep("merge", *sources, "--root", target)
    assert ended.code == code, ended.err
    return ended.out + ended.err


def test_a_new_root_gets_the_bytes_and_the_records_of_two_roots(tmp_path):
    a, b, both = (
        trained(tmp_path / "a"),
        trained(tmp_path / "b", "6:9", variants="softmax"),
        tmp_path / "both",
    )
    before = [files(a), files(b)]
    dry = sweep("merge", a, b, "--root", both, "--dry-run")
    assert (dry.code, both.exists()) == (0, False)
    assert f"{a}: 6 runs in 2 shards would be copied to {both}" in dry.out
    assert f"{b}: 3 runs in 1 shard copied to {both}" in merge(both, a, b)
    assert [files(a), files(b)] == before
    copied = files(both)
    del copied["driver.json"]
    assert copied == before[0] | before[1]
    assert examine(Store(str(both))) == []
    names = recorded_sweeps(Store(str(a))).keys() | recorded_sweeps(Store(str(b))).keys()
    assert recorded_sweeps(Store(str(both))).keys() == names
    again = merge(both, a, b)
    assert f"{a}: 0 runs in 0 shards copied" in again
    assert f"{a}: 6 runs already in {both}" in again
    assert copied.items() <= files(both).items()


@settings(max_examples=8, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 8), st.integers(1, 6), st.integers(1, 4)), min_size=2, max_size=4))
def test_overlapping_roots_give_each_run_once(tmp_path_factory, parts):
    folder = tmp_path_factory.mktemp("merge")
    roots = [
        trained(folder / str(i), f"{start}:{start + length}", width)
        for i, (start, length, width) in enumerate(parts)
    ]
    merge(roots[0], *roots[1:])
    store = Store(str(roots[0]))
    assert examine(store) == []
    wanted = SeedRanges(range(start, start + length) for start, length, _ in parts)
    assert sum(len(file.seeds) for file in store.files) == len(wanted) == len(store.labels())
    assert list(store.completed().values()) == [wanted]
    assert_same_rows(rows(roots[0]), rows(trained(folder / "all", str(wanted))))


def test_a_part_of_a_file_keeps_its_predictions_and_provenance(tmp_path):
    wrong = np.random.default_rng(0).random((8, 60)) < 0.1
    source = stored(tmp_path / "source", {"base": wrong}, width=8, engine="lanes", diverged={"base": {1}})
    target = stored(tmp_path / "target", {"base": wrong[:3]}, width=3)
    assert "5 runs in 1 shard copied" in merge(tmp_path / "target", tmp_path / "source")
    target.refresh()
    assert examine(target) == []
    left, right = (s.labels().set_index("seed")["predictions"].sort_index() for s in (source, target))
    assert right[3:].equals(left[3:])
    (part,) = [file.metadata for file in target.files if file.seeds == range(3, 8)]
    assert (part.engine, part.seconds) == ("lanes", 50 / 8)


def test_runs_with_other_values_are_counted_and_kept(tmp_path):
    wrong = np.random.default_rng(0).random((8, 60)) < 0.1
    changed = wrong.copy()
    changed[2] = ~changed[2]
    stored(tmp_path / "target", {"base": wrong[:4]}, diverged={"base": {1}})
    stored(tmp_path / "source", {"base": changed}, diverged={"base": {1}})
    kept = {name: c for name, c in files(tmp_path / "target").items() if name.endswith(".parquet")}
    text = merge(tmp_path / "target", tmp_path / "source")
    assert "4 runs already in" in text
    assert "WARNING: 1 of these have other values here" in text
    assert kept.items() <= files(tmp_path / "target").items()


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize(("kind", "how"), [("epochs", damage), ("labels", damage), ("labels", Path.unlink)])
def test_a_damaged_source_is_refused_before_anything_is_written(tmp_path, kind, how):
    whole, damaged = trained(tmp_path / "whole"), trained(tmp_path / "damaged", "6:12")
    how(sorted((damaged / kind).rglob("*.parquet"))[-1])
    text = merge(tmp_path / "target", whole, damaged, code=2)
    assert not (tmp_path / "target").exists()
    assert text.count("\n") == 1
    assert f"{damaged}/{kind}/" in text


def test_only_finished_shards_are_copied(tmp_path):
    source = trained(tmp_path / "source")
    sorted((source / "epochs").rglob("*.parquet"))[-1].unlink()
    assert "3 runs in 1 shard copied" in merge(tmp_path / "target", source)
    assert examine(Store(str(tmp_path / "target"))) == []


def test_a_root_that_a_driver_holds_is_refused(tmp_path):
    a, b = trained(tmp_path / "a"), trained(tmp_path / "b", "6:9")
    before = files(a)
    with lease.hold(Store(str(a))):
        assert "is in use by another driver" in merge(a, b, code=2)
    (a / lease.FILE).unlink()
    assert files(a) == before


def test_roots_with_other_arrays_of_the_same_sweep_are_kept_apart(tmp_path):
    a, b = trained(tmp_path / "a"), trained(tmp_path / "b", digest="e" * 64)
    assert "was run on other arrays of mnist5k (digest eeeeeeee)" in merge(a, b, code=2)


def test_a_root_is_not_merged_into_itself(tmp_path):
    a = trained(tmp_path / "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "link").symlink_to(a)
    for name in (a, tmp_path / "b" / ".." / "a", tmp_path / "link"):
        assert "is the root to copy to" in merge(a, name, code=2)


def test_a_root_of_version_0_1_is_merged(tmp_path):
    old = Path(shutil.copytree(VERSION_1, tmp_path / "old"))
    merge(tmp_path / "new", old)
    assert examine(Store(str(tmp_path / "new"))) == []
    assert_same_rows(rows(tmp_path / "new"), rows(old))
    ((spec, _),) = recorded_sweeps(Store(str(tmp_path / "new"))).values()
    assert spec == next(iter(recorded_sweeps(Store(str(old))).values())).spec
