"""No table mixes runs on different data sets: the rows of a data set are the same with and without the others."""

import itertools

import numpy as np
import pandas as pd
import pytest

from sweep.analysis.tables.format import main_columns
from sweep.analysis.tables.registry import TABLES
from sweep.analysis.tables.table import make_table
from tests.sweep.analysis.stored import stored

SIZES, DRAWS = (80, 120), (0, 1)
SETS = [f"mnist5k,n_train={n},n_test=60,draw={draw}" for n, draw in itertools.product(SIZES, DRAWS)]
CROSSED = {"scaling", "sources"}  # compare data sets, which they name in every row
OTHER_TESTS = {"tooling", "published"}  # two roots; published sizes
REQUESTED = {"n_requested", "n_failed", "n_pending", "look_no"}  # unknown where runs are selected
ADJUSTED = {"p_holm", "family"}  # for the number of comparisons in the table
SIMULATED = {
    "sigma_dist_lo",
    "sigma_dist_hi",
    "se_diff_total",
    "total_lo",
    "total_hi",
}  # random numbers differ
TOLERANCE = {"ensemble": 0.25}  # random ensembles


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    path = tmp_path_factory.mktemp("grid") / "results"
    rng = np.random.default_rng(0)
    for n, draw in itertools.product(SIZES, DRAWS):
        difficulty = rng.beta(0.6, 2.4, 60) * (1.2 - n / 400)
        wrong = {
            name: rng.random((8, 60)) < difficulty * share for name, share in (("base", 1), ("softmax", 0.7))
        }
        store = stored(path, wrong, digits={"n_train": n, "subset_seed": draw})
    return store


@pytest.mark.parametrize("name", sorted(TABLES.keys() - CROSSED - OTHER_TESTS))
def test_rows_of_a_data_set_do_not_depend_on_the_others(root, name):
    whole, _ = make_table(root, name)
    assert set(whole["dataset"]) == set(SETS)
    for dataset in SETS:
        alone, _ = make_table(root, name, datasets=dataset)
        rows = whole[whole["dataset"] == dataset].reset_index(drop=True)
        assert len(rows) == len(alone) > 0
        columns = [c for c in alone if c not in REQUESTED | ADJUSTED | SIMULATED]
        pd.testing.assert_frame_equal(
            rows[columns],
            alone[columns],
            check_dtype=False,
            rtol=TOLERANCE.get(name, 1e-9),
            atol=1.0 if name in TOLERANCE else 0,
        )


def test_data_sets_are_sorted_by_size_and_draw(root):
    table, _ = make_table(root, "summary", main_only=True)
    assert list(dict.fromkeys(table["dataset"])) == SETS  # 80 digits before 120


def test_scaling_fits_each_draw_separately(root):
    table, columns = make_table(root, "scaling")
    assert len(table) == 2 * len(SETS)  # variants
    for draw in DRAWS:
        alone, _ = make_table(root, "scaling", datasets=f"*draw={draw}")
        rows = table[table["digits"] == f"mnist5k,n_test=60,draw={draw}"].reset_index(drop=True)
        assert list(rows["n_train"]) == [80, 120] * 2
        pd.testing.assert_frame_equal(rows, alone)
    assert "data set" in [column.title for column in main_columns(table, columns)]


def test_sources_crosses_draws_but_not_sizes(root):
    table, _ = make_table(root, "sources")
    for n_train in SIZES:
        alone, _ = make_table(root, "sources", datasets=f"*n_train={n_train},*")
        rows = table[table["n_train"] == n_train].reset_index(drop=True)
        pd.testing.assert_frame_equal(rows, alone)
        assert set(rows["n"]) == {16}
        assert list(rows["source"]) == ["init", "draw", "init x draw", "all sources"] * 2
