"""The runs that trackers receive."""

import numpy as np
import pytest

from sweep.export.runs import keys, tracker_runs
from tests.sweep.export.roots import misses, more_seeds, select, small_root


@pytest.fixture
def root(tmp_path):
    return small_root(tmp_path / "r")


@pytest.mark.parametrize("per", ["seed", "variant"])
def test_keys_are_those_of_the_runs_in_order(root, per):
    data = select(root)
    found = [run.key for run in tracker_runs(data, per, ())]
    assert found == keys(data, per)
    assert len(set(found)) == {"seed": 12, "variant": 2}[per]
    assert [run.key for run in tracker_runs(data, per, found[1:])] == found[:1]


def test_a_run_of_a_seed(root):
    run = next(tracker_runs(select(root), "seed", ()))
    assert run.name == "base,epochs=5, seed 0"
    assert run.parameters.items() >= {"seed": 0, "variant": "base,epochs=5", "lr_schedule": "none"}.items()
    assert run.parameters.items() >= {"dataset": "mnist5k,n_train=120,n_test=60", "n_train": 120}.items()
    assert run.tags["engine"] == "vmap"
    assert run.metrics["test_misses"].tolist() == misses("base", 0)
    assert run.time_of(5) - run.time_of(0) == pytest.approx(run.seconds)


def test_the_last_epoch_of_a_diverged_run_has_no_loss(root):
    run = {r.name: r for r in tracker_runs(select(root), "seed", ())}["dropout,epochs=5, seed 3"]
    assert run.tags["status"] == "diverged"
    assert "test_misses" in run.defined(4)
    assert run.defined(5).keys() == {"learning_rate"}


def test_a_run_of_a_variant_has_statistics_over_the_seeds_that_did_not_diverge(root):
    base, dropout = tracker_runs(select(root), "variant", ())
    assert base.name == "base,epochs=5, seeds 0:6"
    last = [misses("base", seed)[-1] for seed in range(6)]
    assert base.metrics["test_misses_mean"][-1] == pytest.approx(np.mean(last))
    assert base.metrics["test_misses_sd"][-1] == pytest.approx(np.std(last, ddof=1))
    assert dropout.metrics["n_ok"].tolist() == [6, 6, 6, 6, 5]
    assert dropout.tags["status"] == "1 diverged"


def test_filters_select_seeds_and_variants(root):
    assert len(keys(select(root, seeds="2:5"), "seed")) == 6
    assert len(keys(select(root, variants="base,*"), "seed")) == 6
    (run,) = tracker_runs(select(root, seeds="2:5", variants="base,*"), "variant", ())
    assert run.parameters["seeds"] == "2:5"


def test_more_seeds_make_a_new_run_of_the_variant_and_keep_those_of_the_seeds(root):
    by_seed, by_variant = (set(keys(select(root), per)) for per in ("seed", "variant"))
    more_seeds(root, 6, 8)
    assert len(set(keys(select(root), "seed")) - by_seed) == 2
    assert len(set(keys(select(root), "variant")) - by_variant) == 1
