"""Crossed designs are found among the runs of a root."""

import itertools

import numpy as np
import pytest

from sweep.analysis.designs import crossed_designs
from sweep.analysis.tables.sources import sources
from tests.sweep.analysis import rows
from tests.sweep.analysis.test_components import THREE, TWO, simulated


def base(misses, order=0, draw=None, **options):
    """Runs of one cell of `base`."""
    name = f"base,order_seed={order}" if order else "base"
    return rows.runs({name: misses}, dataset="mnist" if draw is None else f"mnist,draw={draw}", **options)


def crossed(y):
    """Runs with seeds along the first axis, orders along the second and draws along the third."""
    return list(
        itertools.chain(
            *(base(y[:, b, c], b, c) for b, c in itertools.product(range(y.shape[1]), range(y.shape[2])))
        )
    )


def test_the_oracle_of_two_factors():
    table = sources(list(itertools.chain(*(base(TWO[:, order], order) for order in range(4))))).set_index(
        "source"
    )
    assert list(table.index) == ["init", "order", "init x order", "all sources"]
    assert table["variance"].tolist() == pytest.approx([14.35, 37.216667, 3.65, 14.35 + 37.216667 + 3.65])
    assert table["total_sd"].iloc[0] == pytest.approx(np.sqrt(14.35 + 3.65))
    assert table["share"].iloc[0] == pytest.approx(14.35 / 55.216667)
    assert (table["n"] == 20).all()
    assert list(table["levels"]) == ["5", "4", "5 x 4", "5 x 4"]


def test_the_oracle_of_three_factors_with_negative_estimates():
    table = sources(crossed(THREE)).set_index("source")
    row = table.loc["init x order"]
    assert row["variance"] == pytest.approx(-1.208333)
    assert row["var_lo"] < row["variance"] < row["var_hi"]
    assert (row["sd"], row["share"]) == (0, 0)
    assert table.loc["draw", "variance"] == pytest.approx(36.291667)
    assert table.loc["init", "intervals"] == "rough"
    notes = " ".join(sources(crossed(THREE)).attrs["notes"])
    assert "base on mnist: 24 runs, 4 init, 2 order, 3 draw; 2,007 test digits." in notes
    assert "intervals of init, order, draw are rough" in notes


def test_intervals_of_six_levels_are_not_rough():
    y = np.rint(80 + 5 * simulated(np.random.default_rng(0), (6, 7, 6), {(0,): 1.0, (0, 1, 2): 1.0}))
    table = sources(crossed(y))
    assert (table["intervals"] == "").all()
    assert (table["method"] == "anova").all()


def test_a_longer_sweep_of_one_cell_is_left_out_of_the_design():
    runs = crossed(THREE)
    more = base([70, 71, 72, 73, 74, 75], draw=0, first_seed=4)
    rest = [r for r in runs if r.cell != more[0].cell]
    merged = rows.last(
        rows.epochs({"base": [*THREE[:, 0, 0], *more[0].misses("test")]}, dataset="mnist,draw=0")
    )
    (design,) = crossed_designs([*rest, *merged], "test")
    assert (len(design.runs), design.outside) == (24, 6)
    assert design.decompose().method == "anova"


def test_diverged_runs_give_reml_which_the_notes_say():
    runs = list(itertools.chain(*(base(TWO[:, order], order, diverged={"base": {1}}) for order in range(4))))
    table = sources(runs)
    assert set(table["method"]) == {"reml"}
    assert (table["intervals"] == "rough").all()
    assert (table["n"] == 19).all()
    notes = " ".join(table.attrs["notes"])
    assert "1 of 20 combinations are missing (1 runs diverged), so the components are REML estimates" in notes


def test_streams_that_share_the_seed_are_one_source():
    runs = []
    for init, order in itertools.product(range(3), range(2)):
        name = f"dropout,init_seed={init}" + (f",order_seed={order}" if order else "")
        runs += rows.runs({name: [30, 33, 29 + init + order]})
    (design,) = crossed_designs(runs, "test")
    assert design.factors == ("init", "shift + dropout", "order")
    assert design.id.variant == "dropout"
    table = sources(runs)
    assert "init x (shift + dropout)" in set(table["source"])


def test_a_design_has_one_variant_one_size_and_the_same_fixed_streams():
    runs = [
        *crossed(THREE),
        *rows.runs({"softmax": TWO[:, 0], "softmax,order_seed=1": TWO[:, 1]}),
        *rows.runs(
            {"base": TWO[:, 0], "base,order_seed=1": TWO[:, 1]}, dataset="mnist,n_train=9", sizes=(9, 2007)
        ),
        *rows.runs({"base,init_seed=1": TWO[:, 0]}),
    ]
    found = crossed_designs(runs, "test")
    assert [(d.id.variant, d.id.sizes[0], len(d.runs)) for d in found] == [
        ("base", 7291, 24),
        ("softmax", 7291, 10),
        ("base", 9, 10),
    ]


def test_without_crossed_runs_there_is_no_table():
    with pytest.raises(ValueError, match="sources needs crossed runs"):
        sources(rows.runs({"base": TWO[:, 0], "softmax": TWO[:, 1]}))
