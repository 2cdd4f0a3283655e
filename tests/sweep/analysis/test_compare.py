"""One number of misses among the seeds of a variant."""

import numpy as np
import pytest

from sweep.analysis.compare import compare_runs, find_runs
from sweep.analysis.selection import Filters
from sweep.store.reference import decode, encode
from sweep.store.store import Store
from tests.sweep.analysis import rows
from tests.sweep.analysis.rows import X200, A
from tests.sweep.analysis.stored import stored


def test_a_number_among_many_seeds():
    answer = compare_runs(rows.runs({"base": X200}), "base", 74)
    assert answer.sentence == (
        "74 misses with base in 2,007 test digits of mnist: as expected for a new seed. "
        "11 of 200 seeds miss fewer, 5 as many, 184 more; "
        "mean 83.0, 95 % prediction interval for a new seed 71.1–94.9."
    )
    assert answer.row.iloc[0]["p_mid"] == pytest.approx(0.139303, abs=5e-7)
    assert answer.runs.cell.variant == "base"
    assert answer.warnings == []


@pytest.mark.parametrize(
    ("misses", "word"), [(102, "more than expected"), (60, "fewer than expected"), (83, "as expected")]
)
def test_few_seeds_are_judged_by_the_prediction_interval(misses, word):
    answer = compare_runs(rows.runs({"base": A}), "base", misses)
    assert f": {word} for a new seed." in answer.sentence
    assert np.isnan(answer.row.iloc[0]["p_mid"])


def test_one_seed_and_seeds_that_agree_have_no_interval():
    assert "the only seed so far misses 80" in compare_runs(rows.runs({"base": [80]}), "base", 74).sentence
    same = rows.runs({"base": [80, 80, 80]})
    assert "different from all 3 seeds (80)" in compare_runs(same, "base", 74).sentence
    assert "equal to all 3 seeds (80)" in compare_runs(same, "base", 80).sentence


def test_a_test_set_of_another_size_gives_a_warning():
    small = rows.runs({"base": A}, dataset="mnist5k", sizes=(3920, 1080))
    (warning,) = compare_runs(small, "base", 74).warnings
    assert "mnist5k has 1,080 test digits, the published numbers are out of 2,007" in warning


def test_runs_that_do_not_learn_give_a_warning():
    (warning,) = compare_runs(rows.runs({"base": [1800, 1790, 80]}), "base", 74).warnings
    assert "not learning" in warning


def test_wrong_requests():
    runs = rows.runs({"base": A, "softmax": A[:1]}, diverged={"softmax": [0]})
    with pytest.raises(ValueError, match="no finished run has variant 'bse': did you mean 'base'"):
        compare_runs(runs, "bse", 74)
    with pytest.raises(ValueError, match="misses = 3000: give a count from 0 to 2,007"):
        compare_runs(runs, "base", 3000)
    with pytest.raises(ValueError, match="every run of softmax diverged"):
        compare_runs(runs, "softmax", 74)
    both = [*runs, *rows.runs({"base": A}, dataset="usps")]
    with pytest.raises(ValueError, match="several data sets: choose one of mnist"):
        compare_runs(both, "base", 74)


WRONG = np.random.default_rng(0).random((20, 60)) < 0.2


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return stored(tmp_path_factory.mktemp("compare") / "results", {"base": WRONG, "softmax": WRONG[:4]})


@pytest.fixture(scope="module")
def shipped(root, tmp_path_factory):
    """A reference distribution with base and dropout, each on one data set."""
    more = stored(tmp_path_factory.mktemp("compare") / "more", {"dropout": WRONG})
    return decode(encode([root, more]))


def found(sources, variant, **options):
    filters = Filters(**{name: options.pop(name) for name in ("seeds", "datasets") if name in options})
    runs, notes = find_runs(sources, f"{variant},epochs=5", filters, **options)
    return [(r.cell.parent, r.n) for r in runs], notes


def test_runs_of_the_root_come_first(root, shipped):
    assert found([root, shipped], "base", seeds="0:6") == ([("base", 6)], [])


@pytest.mark.parametrize("options", [{"variant": "dropout"}, {"variant": "softmax", "seeds": "10:20"}])
def test_the_reference_distribution_serves_what_the_root_lacks(root, shipped, tmp_path, options):
    more = decode(encode([stored(tmp_path / "more", {"dropout": WRONG, "softmax": WRONG})]))
    ((_, n),), notes = found([root, more], **options)
    assert n == (10 if "seeds" in options else 20)
    assert notes[0] == f"{root.root} has no run of {options['variant']},epochs=5 to compare with."
    assert notes[1] == "Source: the reference distribution, trained 2026-01-01."


def test_a_root_need_not_exist(shipped, tmp_path):
    runs, notes = found([Store(str(tmp_path / "none")), shipped], "base")
    assert runs == [("base", 20)]
    assert "none has no run of base" in notes[0]


def test_the_number_of_digits_must_fit(root, shipped):
    assert found([root, shipped], "base", digits=60)[0] == [("base", 20)]
    assert found([root, shipped], "base", digits=120, split="train")[0] == [("base", 20)]
    with pytest.raises(ValueError, match=r"no run of base,epochs=5 has 2,007 test digits: mnist5k.* has 60"):
        found([root, shipped], "base", digits=2007)


def test_the_nearest_name_of_an_unknown_variant_is_suggested(root, shipped):
    runs, _ = find_runs([root, shipped], "bse,epochs=5", Filters())
    with pytest.raises(ValueError, match="no finished run has variant 'bse,epochs=5': did you mean 'base"):
        compare_runs(runs, "bse,epochs=5", 10)
