"""Sequential decisions: few false ones under the null, and fewer seeds than a fixed design for large changes."""

import itertools

import numpy as np
import pytest

from sweep.analysis import statistics as st
from sweep.analysis.selection import Selection
from sweep.analysis.statistics.differences import holm
from sweep.analysis.statistics.sequential import UNDECIDED, Pair, _tests, decide, level, looks
from sweep.store.reference import reference

SD = 6.0
LARGEST = 256  # seeds: five looks


def sweep_of(rng, means, correlation=0.0):
    """The steps of a simulated sweep: rounded normal misses, correlated over seeds."""
    common = rng.normal(0, SD * np.sqrt(correlation), LARGEST)
    own = rng.normal(0, SD * np.sqrt(1 - correlation), (len(means), LARGEST))
    misses = np.round(np.asarray(means)[:, None] + common + own)
    return [Pair(a, b, paired=True) for a, b in itertools.pairwise(misses)]


def test_the_levels_of_all_looks_sum_to_five_percent():
    assert looks(100) == [16, 32, 64]
    assert looks(15) == []
    assert 0.0499 < sum(map(level, range(1, 1000))) < 0.05


def wrong(decisions, means, margin=5.0):
    """Whether a sweep has a false decision: of a difference, and of equivalence."""
    truth = np.diff(means)
    signs = [{"larger": 1, "smaller": -1}.get(d.verdict) for d in decisions]
    return (
        any(sign is not None and sign != np.sign(t) for sign, t in zip(signs, truth, strict=True)),
        any(d.verdict == "equivalent" and abs(t) >= margin for d, t in zip(decisions, truth, strict=True)),
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("means", "correlation"),
    [([75] * 5, 0.0), ([75] * 5, 0.5), ([75, 80, 75, 80, 75], 0.0), ([75, 75, 80, 80, 85], 0.0)],
    ids=["null", "null, correlated", "steps of the margin", "half of each"],
)
def test_at_most_five_percent_of_2000_sweeps_have_a_false_decision(means, correlation):
    rng = np.random.default_rng(1989)
    found = [wrong(decide(sweep_of(rng, means, correlation), 5.0), means) for _ in range(2000)]
    different, equivalent = np.mean(found, 0)
    either = np.mean(np.any(found, 1))
    print(f"false differences {different:.2%}, false equivalences {equivalent:.2%}, either {either:.2%}")
    assert max(different, equivalent) <= 0.05


@pytest.mark.slow
def test_at_most_five_percent_of_2000_null_sweeps_of_measured_misses():
    """Both variants of a step draw their misses, without replacement, from the measured runs of one variant."""
    runs = {
        r.cell.variant: r for r in Selection(reference()).runs() if r.cell.dataset == "mnist" and r.n >= 256
    }
    measured = runs["base"].misses("test")
    rng = np.random.default_rng(1990)
    false = 0
    for _ in range(2000):
        steps = [rng.permutation(measured)[:256].reshape(2, 128) for _ in range(4)]
        false += any(
            d.verdict in ("larger", "smaller") for d in decide([Pair(*s, paired=True) for s in steps], 5.0)
        )
    print(f"false decisions: {false} of 2000 sweeps of {len(measured)} measured runs")
    assert false / 2000 <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize(
    "means",
    [[76.4, 72.6, 70.3, 51.4, 36.8], [75] * 5, [76, 66, 56, 46]],
    ids=["measured means", "null", "steps of 10"],
)
def test_the_saving_against_a_fixed_number_of_seeds(means):
    """Both train every variant until each step has a decision, the fixed design in at least 80 % of sweeps.

    `--until decided` goes on to the end, so its sweeps have more decisions.
    """
    rng = np.random.default_rng(1991)
    sweeps = [sweep_of(rng, means) for _ in range(300)]
    found = [decide(sweep, 5.0) for sweep in sweeps]
    used = np.mean([max(d.seeds for d in decisions) for decisions in found])
    decided = np.mean([all(d.verdict != UNDECIDED for d in decisions) for decisions in found])
    fixed = next(n for n in range(8, LARGEST + 1, 4) if np.mean([decided_at(s, n) for s in sweeps]) >= 0.8)
    planned = st.seeds_needed(2, SD)
    print(
        f"mean seeds {used:.0f} ({decided:.0%} of sweeps decided): {1 - used / planned:.0%} fewer than the {planned} "
        f"of a plan for 2 misses; one look at {fixed} decides 80 % of sweeps, if the means are known"
    )
    assert decided > 0.95
    assert used < planned


def decided_at(sweep, n):
    """Whether one look at n seeds, at 5 % with Holm, decides every step."""
    different, equivalent = (
        holm(np.array(p)) for p in zip(*(_tests(pair, n, 5.0) for pair in sweep), strict=True)
    )
    return bool(np.all((different < st.ALPHA) | (equivalent < st.ALPHA)))


def test_few_null_sweeps_have_a_false_decision():
    rng = np.random.default_rng(1)
    sweeps = [decide(sweep_of(rng, [75] * 5), margin=5.0) for _ in range(60)]
    assert sum(any(d.verdict in ("larger", "smaller") for d in found) for found in sweeps) <= 6
    assert all(d.verdict == "equivalent" for found in sweeps for d in found)


def test_a_large_step_is_decided_at_the_first_look():
    rng = np.random.default_rng(1)
    first, second = decide(sweep_of(rng, [70, 50, 70]), margin=5.0)
    assert (first.verdict, first.seeds) == ("smaller", 16)
    assert (second.verdict, second.seeds) == ("larger", 16)


def test_without_enough_seeds_nothing_is_decided():
    few = Pair(np.zeros(10), np.ones(10), paired=True)
    assert decide([few], 5.0)[0][:2] == (UNDECIDED, 0)
    many = Pair(np.zeros(64), np.ones(64), paired=False)
    assert decide([few, many], 5.0)[1].verdict == "larger"  # constant and different
