"""Filters and readers of a selection, on a real store."""

import numpy as np
import pytest

from data import load
from data.options import DatasetOptions
from sweep.analysis.selection import Filters, Selection, split_names
from sweep.store.records import SweepRecord, recorded_sweeps
from sweep.store.store import Store
from tests.sweep.analysis.stored import DIGITS, stored

WRONG = np.random.default_rng(0).random((20, 60)) < 0.2
TRUTH = load(DatasetOptions(**DIGITS)).test.labels


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    root = tmp_path_factory.mktemp("selection") / "results"
    stored(root, {"base": WRONG, "dropout": ~WRONG}, diverged={"dropout": {3}}, width=8)
    return Store(str(root))


def selected(store, **filters):
    return Selection(store, Filters(**filters))


def test_runs_after_the_last_and_after_an_earlier_epoch(store):
    base, dropout = Selection(store).runs()
    assert (base.cell.variant, base.epoch, base.n, base.sizes) == (
        "base,epochs=5",
        5,
        20,
        {"train": 120, "test": 60},
    )
    assert list(base.misses("test")) == list(WRONG.sum(1))
    assert (dropout.n, list(dropout.diverged)) == (19, [3])
    second = Selection(store).runs(2)[0]
    assert (second.epoch, second.epochs) == (2, 5)
    assert list(second.misses("test")) == list(WRONG.sum(1) + 9)
    with pytest.raises(ValueError, match="epoch 9: no run is left; the longest run has epochs 1 to 5"):
        Selection(store).runs(9)


def test_histories_are_one_row_per_seed(store):
    base, dropout = Selection(store).histories("test_misses")
    assert base.misses("test").shape == (20, 5)
    assert (base.misses("test")[:, -1] == WRONG.sum(1)).all()
    assert (base.misses("test")[:, 0] == WRONG.sum(1) + 12).all()
    assert np.isnan(dropout.misses("test")[3, -1])
    assert not np.isnan(dropout.misses("test")[3, :-1]).any()
    assert list(dropout.finished) == [seed != 3 for seed in range(20)]


def test_histories_may_be_limited_to_the_first_files(store):
    limited = next(Selection(store, history_seeds=10).histories("test_misses"))
    assert list(limited.seeds) == list(range(16))  # two files of eight


def test_predictions_are_reduced_by_cell(store):
    base, dropout = Selection(store).predictions
    assert (base.first == np.where(WRONG, (TRUTH + 1) % 10, TRUTH)).all()
    assert list(dropout.seeds) == [seed for seed in range(20) if seed != 3]


def test_tables_of_labels_need_only_the_root(store, monkeypatch):
    def unavailable(self, digest):
        raise AssertionError("the digits were loaded")

    monkeypatch.setattr(Selection, "dataset", unavailable)
    assert (Selection(store).predictions[0].truth == TRUTH).all()


def test_roots_without_recorded_labels_load_the_digits(tmp_path):
    store = stored(tmp_path / "old", {"base": WRONG})
    ((name, (spec, datasets)),) = recorded_sweeps(store).items()
    plain = {key: {"digest": d["digest"], "name": d["name"]} for key, d in datasets.items()}
    (tmp_path / "old" / "sweeps" / f"{name}.json").write_bytes(SweepRecord(spec, plain).encode())
    assert (Selection(Store(store.root)).predictions[0].truth == TRUTH).all()


def test_a_filter_on_seeds_applies_everywhere(store):
    chosen = selected(store, seeds="6:10,12")
    assert [list(r.seeds) for r in chosen.runs()] == [[6, 7, 8, 9, 12]] * 2
    assert [list(p.seeds) for p in chosen.predictions] == [[6, 7, 8, 9, 12]] * 2
    assert [list(h.seeds) for h in chosen.histories("test_misses")] == [[6, 7, 8, 9, 12]] * 2
    assert chosen.planned is None


def test_requested_runs(store):
    planned = Selection(store).planned
    assert {(w.variant, w.seeds, w.failed, w.looks) for w in planned.values()} == {
        ("base,epochs=5", 20, 0, 1),
        ("dropout,epochs=5", 20, 0, 1),
    }


def test_filters_by_name_pattern_and_digest(store):
    def names(**filters):
        return [r.cell.variant for r in selected(store, **filters).runs()]

    digest = Selection(store).runs()[0].cell.dataset_digest
    assert names(variants="base,epochs=5") == names(variants="base,*") == ["base,epochs=5"]
    assert (
        names(variants="*") == names(datasets="mnist5k*") == names(datasets=digest) == names(engines="vmap")
    )
    assert names(variants="dropout,epochs=5,base,epochs=5") == ["base,epochs=5", "dropout,epochs=5"]


@pytest.mark.parametrize(
    ("filters", "line"),
    [
        (
            {"variants": "bas,epochs=5"},
            "no finished run has variant 'bas,epochs=5': did you mean 'base,epochs=5'",
        ),
        ({"engines": "lanes"}, "no finished run has engine 'lanes': choose from vmap"),
        ({"datasets": "minst5k"}, "no finished run has dataset 'minst5k'"),
        ({"recipes": "karpathy"}, "no finished run has recipe 'karpathy'"),
        ({"seeds": "90:99"}, "no run is left after seeds 90:99"),
        ({"seeds": "x"}, "'x' is not a seed"),
    ],
)
def test_a_filter_that_leaves_nothing_is_named(store, filters, line):
    with pytest.raises(ValueError, match=line):
        selected(store, **filters).runs()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("base", ["base"]),
        ("base,softmax", ["base", "softmax"]),
        ("base,*", ["base,*"]),
        ("base@karpathy,*,softmax", ["base@karpathy,*", "softmax"]),
        ("base,learning_rate=0.1,epochs=4, softmax", ["base,learning_rate=0.1,epochs=4", "softmax"]),
        ("mnist,n_train=1000,mnist", ["mnist,n_train=1000", "mnist"]),
    ],
)
def test_commas_separate_names_but_not_overrides(text, names):
    assert split_names(text) == names


def test_every_override_of_a_variant_and_nothing_else():
    from sweep.analysis.selection import matches_variant

    stored_names = ["base", "base,epochs=4", "base@karpathy", "base@karpathy,epochs=4", "softmax,epochs=4"]

    def matching(name):
        return [one for one in stored_names if matches_variant(one, name)]

    assert matching("base,*") == ["base,epochs=4", "base@karpathy,epochs=4"]
    assert matching("base") == ["base", "base@karpathy"]
    assert matching("base@karpathy") == ["base@karpathy"]
    assert matching("base@karpathy,*") == ["base@karpathy,epochs=4"]
    assert matching("*") == stored_names


def test_a_root_without_runs(tmp_path):
    store = Store(str(tmp_path / "empty"))
    store.open_for_writing()
    with pytest.raises(ValueError, match="no run has finished yet; `sweep status` shows the progress"):
        Selection(store).runs()
