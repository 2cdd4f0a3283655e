"""The reference distribution: its file, its use as a source of runs, and the one in the package."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data import load
from data.options import DatasetOptions
from model.engines import load_engine
from model.variants import VARIANTS, variant
from sweep.analysis.selection import Filters, Selection
from sweep.analysis.tables.table import make_table
from sweep.driver.session import run
from sweep.errors import StoreError
from sweep.settings import Settings
from sweep.spec.spec import parse
from sweep.store.reference import FILE, VERSION_KEY, decode, encode, reference
from sweep.store.store import Store, existing
from tests.sweep.analysis.stored import stored

WRONG = np.random.default_rng(0).random((20, 60)) < 0.2


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    root = tmp_path_factory.mktemp("reference") / "results"
    return stored(root, {"base": WRONG, "dropout": ~WRONG}, diverged={"dropout": {3}}, width=8)


def same_runs(left, right):
    assert [r.cell for r in left] == [r.cell for r in right]
    for a, b in zip(left, right, strict=True):
        assert (list(a.seeds), list(a.diverged)) == (list(b.seeds), list(b.diverged))
        assert (a.epoch, a.epochs, a.sizes) == (b.epoch, b.epochs, b.sizes)
        assert (a.engine, a.device, a.code) == (b.engine, b.device, b.code)
        for split in ("train", "test"):
            assert list(a.misses(split)) == list(b.misses(split))


def test_the_file_holds_the_runs_of_the_root(store):
    content = encode([store])
    assert content == encode([store])
    same_runs(Selection(decode(content)).runs(), Selection(store).runs())
    (base, _) = decode(content).files  # one row per cell, from three files each
    assert (base.seeds, base.metadata.seconds) == (range(20), 30.0)


def test_filters_select_as_in_a_root(store):
    shipped = decode(encode([store]))
    filters = Filters(variants="dropout,epochs=5", seeds="2:7")
    same_runs(Selection(shipped, filters).runs(), Selection(store, filters).runs())
    with pytest.raises(ValueError, match="no finished run has recipe 'flx': did you mean 'flax'"):
        Selection(shipped, Filters(recipes="flx")).runs()


@pytest.mark.parametrize("table", ["pairs", "wide", "precision"])
def test_tables_of_the_misses_equal_those_of_the_root(store, table):
    (ours, _), (theirs, _) = make_table(decode(encode([store])), table), make_table(store, table)
    pd.testing.assert_frame_equal(ours, theirs)
    assert ours.attrs["notes"][0] == "Source: the reference distribution, trained 2026-01-01."


def test_what_the_file_lacks_is_refused(store):
    shipped = decode(encode([store]))
    summary, _ = make_table(shipped, "summary")
    assert summary["own_best_mean"].isna().all()
    assert summary["mean"].tolist() == make_table(store, "summary")[0]["mean"].tolist()
    for table, options in (("noise", {}), ("curve", {}), ("summary", {"epoch": 2})):
        with pytest.raises(ValueError, match="has only the misses after the last epoch"):
            make_table(shipped, table, **options)


def test_a_run_in_two_roots_counts_once(store, tmp_path):
    more = stored(tmp_path / "more", {"base": np.vstack([WRONG[15:], ~WRONG])}, first_seed=15)
    base, _ = Selection(decode(encode([store, more]))).runs()
    assert list(base.seeds) == list(range(40))
    expected = np.concatenate([WRONG.sum(1), (~WRONG).sum(1)])
    assert list(base.misses("test")) == list(expected)


def test_seeds_that_do_not_join_are_separate_rows(store, tmp_path):
    more = stored(tmp_path / "more", {"base": WRONG[:4]}, first_seed=50)
    shipped = decode(encode([store, more]))
    assert [file.seeds for file in shipped.files] == [range(20), range(20), range(50, 54)]
    assert list(Selection(shipped).runs()[0].seeds) == [*range(20), *range(50, 54)]


def test_wrong_files_are_refused(store):
    content = encode([store])
    with pytest.raises(StoreError, match="x: is damaged or not a reference distribution"):
        decode(content[:-20], "x")
    with pytest.raises(StoreError, match="x: is not a reference distribution"):
        decode(parquet({}), "x")
    with pytest.raises(StoreError, match="x: has schema version 2; this program reads up to 1"):
        decode(parquet({VERSION_KEY: b"2"}), "x")
    with pytest.raises(ValueError, match="no finished runs"):
        encode([])


def parquet(metadata):
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"a": [1]}).replace_schema_metadata(metadata), sink)
    return sink.getvalue().to_pybytes()


# --- the file in the package ---


def test_the_package_has_every_variant_on_every_data_set():
    runs = {(r.cell.variant, r.cell.dataset): r for r in Selection(reference()).runs()}
    for dataset in ("mnist5k",):
        for name in VARIANTS:
            found = runs[name, dataset]
            assert found.cell.variant_digest == variant(name).digest[:8]
            assert found.n >= 64
            assert found.seeds[0] == 0
    digits = load(DatasetOptions("mnist5k"))
    assert runs["base", "mnist5k"].cell.dataset_digest == digits.digest[:8]


def test_the_file_is_small():
    from importlib import resources

    assert len(resources.files("sweep.store").joinpath(FILE).read_bytes()) < 1_000_000


def test_eight_seeds_trained_here_have_the_shipped_misses(tmp_path):
    """Bit for bit with the same engine on the same kind of processor.

    Elsewhere the last bits of sums differ, and training amplifies them. A seed may then miss other digits, but the
    distribution is the same: the tolerance is four standard errors of the difference of two means of eight seeds.
    """
    cell = {"variants": "base", "datasets": "mnist5k", "recipes": "flax"}
    (every,) = Selection(reference(), Filters(**cell)).runs()
    (shipped,) = Selection(reference(), Filters(**cell, seeds="0:8")).runs()
    if reason := load_engine(shipped.engine).unsupported():
        pytest.skip(f"engine {shipped.engine}: {reason}")
    root = str(tmp_path / "results")
    spec = parse({"variants": "base", "seeds": "0:8", "dataset": "mnist5k", "engine": shipped.engine})
    run(spec, Store(root), Settings(executor="inline"))
    (trained,) = Selection(existing(root)).runs()
    assert trained.cell == shipped.cell
    for split in ("train", "test"):
        ours, theirs = trained.misses(split), shipped.misses(split)
        if trained.device == shipped.device:
            assert list(ours) == list(theirs)
        spread = every.misses(split).std(ddof=1)
        assert abs(ours.mean() - theirs.mean()) <= 4 * spread * (2 / 8) ** 0.5
