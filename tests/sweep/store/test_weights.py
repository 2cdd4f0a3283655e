"""Kept weights are those of the stored runs, for every engine and executor, after a resume and for finished runs."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import data
from model.engines import ENGINES, load_engine, unsupported_parts
from sweep.analysis.classify import classify, kept_networks
from sweep.driver.estimate import estimate
from sweep.driver.session import run
from sweep.errors import StoreError
from sweep.settings import Settings
from sweep.spec.seeds import SeedRanges
from sweep.spec.spec import SweepSpec
from sweep.store.check import examine
from sweep.store.store import Store
from tests.sweep.cli.command import listing, sweep
from tests.sweep.small import assert_same_rows, rows, run_inline, small_spec

AVAILABLE = [name for name in ENGINES if load_engine(name).unsupported() is None]


def assert_kept(
    root,
    seeds: str,
    variants: tuple[str, ...] = ("base,epochs=3", "dropout,epochs=3"),
    spec: SweepSpec | None = None,
) -> None:
    """The weights of these seeds, and of no others, are stored, and predict the stored labels."""
    store = Store(str(root))
    (_, options), *_ = (spec or small_spec()).cells()
    images = data.load(options).test.images
    labels = store.labels()
    for variant in variants:
        networks = kept_networks(store, variant)
        assert SeedRanges(range(s, s + 1) for s in networks.seeds) == SeedRanges.parse(seeds)
        stored = labels[labels["variant"] == variant].set_index("seed")["predictions"]
        for seed in networks.seeds:
            found = [c.digit for c in classify(networks, images, seed)]
            assert bytes(found) == stored[seed]
    assert examine(store) == []


@pytest.mark.parametrize(
    "engine", [pytest.param(e, marks=[pytest.mark.slow] * (e == "vmap")) for e in AVAILABLE]
)
def test_kept_weights_predict_the_stored_labels(engine, tmp_path):
    changes = {"engine": engine, "variants": "dropout", "seeds": "0:3"}
    run_inline(tmp_path / "kept", small_spec(**changes, keep_weights="1:3,7"))
    assert_kept(tmp_path / "kept", "1:3", ("dropout,epochs=3",))
    run_inline(tmp_path / "none", small_spec(**changes))
    assert_same_rows(rows(tmp_path / "kept"), rows(tmp_path / "none"))
    assert not (tmp_path / "none" / "weights").exists()


@pytest.mark.slow
def test_kept_weights_of_the_interpreted_engine_pallas(tmp_path, monkeypatch):
    """On a machine without a TPU. Three seeds fill a part of its block; only their weights are stored."""
    monkeypatch.setattr(load_engine("pallas"), "unsupported", unsupported_parts)
    digits = {"name": "mnist5k", "n_train": 30, "n_test": 60}
    spec = small_spec(engine="pallas", variants="base", seeds="0:3", dataset=digits, keep_weights="1:3,7")
    run_inline(tmp_path / "kept", spec)
    store = Store(str(tmp_path / "kept"))
    assert {file.metadata.engine for file in store.files} == {"pallas"}
    assert_kept(tmp_path / "kept", "1:3", ("base,epochs=3",), spec)


def test_finished_runs_are_trained_again_and_their_rows_stay(tmp_path):
    run_inline(tmp_path / "r")
    before = listing(tmp_path / "r" / "epochs") | listing(tmp_path / "r" / "labels")
    assert len(estimate(small_spec(keep_weights="2:5"), Store(str(tmp_path / "r"))).shards) == 2
    outcome = run_inline(tmp_path / "r", small_spec(keep_weights="2:5"))
    assert outcome.runs_trained == 6  # three seeds of two variants
    assert not outcome.failed
    assert_kept(tmp_path / "r", "2:5")
    assert run_inline(tmp_path / "r", small_spec(keep_weights="2:5")).planned == []
    run_inline(tmp_path / "r", small_spec(keep_weights="0:5", seeds="0:8"))
    assert_kept(tmp_path / "r", "0:5")
    after = listing(tmp_path / "r" / "epochs") | listing(tmp_path / "r" / "labels")
    assert before.items() <= after.items()


@pytest.mark.slow
def test_weights_of_runs_that_differ_from_the_rows_are_refused(tmp_path):
    run_inline(tmp_path / "r", small_spec(engine="vmap", variants="base", seeds="0:2"))
    if "lanes" not in AVAILABLE:
        pytest.skip("one engine")
    outcome = run_inline(
        tmp_path / "r", small_spec(engine="lanes", variants="base", seeds="0:2", keep_weights="0")
    )
    assert len(outcome.failed) == 1
    (text,) = Store(str(tmp_path / "r")).failures.paths()
    assert "made with vmap on" in (tmp_path / "r" / text).read_text()
    assert not (tmp_path / "r" / "weights").exists()


KILLED = """
import os, sys
from sweep.store import store
from tests.sweep.small import run_inline, small_spec
save, count = store.ShardFiles.save, 0
def killed(self, shard, content):
    global count
    save(self, shard, content)
    count += self.kind == "weights"
    if count == 3:
        os._exit(9)
store.ShardFiles.save = killed
run_inline(sys.argv[1], small_spec(keep_weights="0:5"))
"""


@pytest.mark.slow
def test_a_driver_killed_between_weights_and_rows_is_resumed(tmp_path):
    root = tmp_path / "r"
    assert subprocess.run([sys.executable, "-c", KILLED, root], env=dict(os.environ)).returncode == 9
    found = examine(Store(str(root)))
    assert [(f.path.partition("/")[0], f.severity) for f in found] == [("weights", "harmless")]
    run_inline(root, small_spec(keep_weights="0:5"))
    assert_kept(root, "0:5")
    run_inline(tmp_path / "plain")
    assert_same_rows(rows(root), rows(tmp_path / "plain"))


def test_doctor_quarantines_damaged_weights_and_the_next_run_restores_them(tmp_path):
    run_inline(tmp_path / "r", small_spec(variants="base", keep_weights="0:2"))
    (file,) = (tmp_path / "r" / "weights").rglob("*.parquet")
    content = bytearray(file.read_bytes())
    for at in range(0, len(content), len(content) // 40):
        changed = bytearray(content)
        changed[at] ^= 16
        file.write_bytes(changed)
        assert [f.severity for f in examine(Store(str(tmp_path / "r")))] == ["damaged"], at
        with pytest.raises(StoreError, match="sweep doctor --repair"):
            kept_networks(Store(str(tmp_path / "r")), "base,epochs=3")
    assert sweep("doctor", "--repair", "--root", tmp_path / "r").code == 0
    run_inline(tmp_path / "r", small_spec(variants="base", keep_weights="0:2"))
    assert kept_networks(Store(str(tmp_path / "r")), "base,epochs=3").seeds == (0, 1)


def test_a_diverged_run_has_no_weights(tmp_path):
    hot = {"epochs": 2, "learning_rate": 1e6, "activation": "relu"}
    spec = small_spec(variants="softmax", set=hot, seeds="0:2", keep_weights="0:2")
    run_inline(tmp_path / "r", spec)
    (variant,) = Store(str(tmp_path / "r")).epochs()["variant"].unique()
    with pytest.raises(StoreError, match="all 2 runs of"):
        kept_networks(Store(str(tmp_path / "r")), variant)
    assert examine(Store(str(tmp_path / "r"))) == []


def test_the_option_does_not_change_the_sweep(tmp_path):
    assert small_spec(keep_weights="0:2").digest == small_spec().digest
    assert "keep_weights" not in small_spec().to_stored()
    done = sweep(
        "run", "--variants", "base", "--seeds", "0:2", "--keep-weights", "5:9", "--root", tmp_path / "r"
    )
    assert done.code == 2
    assert "keep_weights: 5:9 has none of the seeds 0:2" in done.err
    assert not (tmp_path / "r").exists()


@pytest.mark.slow
def test_ray_keeps_weights(tmp_path):
    spec = small_spec(seeds="0:4", shard_width=2, keep_weights="1:3")
    run(spec, Store(str(tmp_path / "r")), Settings(workers=2))
    assert_kept(tmp_path / "r", "1:3")
    record = json.loads(next((tmp_path / "r" / "sweeps").iterdir()).read_text())
    assert record["spec"]["keep_weights"] == "1:3"  # `sweep resume` keeps them too


def test_values_are_those_of_the_format(tmp_path):
    """As docs/storage-format.md says: lists of float32 in row-major order."""
    import pandas as pd

    run_inline(tmp_path / "r", small_spec(variants="base", seeds="0:2", keep_weights="0:2"))
    frame = pd.read_parquet(tmp_path / "r" / "weights")
    assert list(frame["seed"]) == [0, 1]
    kernel = np.stack(frame["Conv_0.kernel"]).reshape(2, 5, 5, 1, 12)
    networks = kept_networks(Store(str(tmp_path / "r")), "base,epochs=3")
    assert np.array_equal(kernel, networks.params["Conv_0"]["kernel"])


def test_merge_copies_weights_that_the_target_lacks(tmp_path):
    run_inline(tmp_path / "a", small_spec(seeds="0:6", keep_weights="1:5"))
    run_inline(tmp_path / "b", small_spec(seeds="0:2"))
    for target in ("b", "new"):
        done = sweep("merge", tmp_path / "a", tmp_path / "a", "--root", tmp_path / target)
        assert done.code == 0
        assert done.out.count("weights of 8 runs copied") == 1  # the second time there is nothing to copy
        assert_kept(tmp_path / target, "1:5")
        assert examine(Store(str(tmp_path / target))) == []
    assert_same_rows(rows(tmp_path / "b"), rows(tmp_path / "a"))


def test_merge_copies_no_weights_of_runs_with_other_rows(tmp_path):
    run_inline(tmp_path / "a", small_spec(engine="lanes", variants="base", seeds="0:2", keep_weights="0:2"))
    run_inline(tmp_path / "b", small_spec(engine="vmap", variants="base", seeds="0:2"))
    done = sweep("merge", tmp_path / "a", "--root", tmp_path / "b")
    assert "WARNING: 2 of these have other values" in done.out
    assert not (tmp_path / "b" / "weights").exists()
