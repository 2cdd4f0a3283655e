"""Short run: one sweep on a cluster of two raylets with five faults. `python -m tests.faults` injects 200."""

from tests.faults.harness import Harness


def test_disturbed_sweep_gives_the_rows_of_an_undisturbed_one(tmp_path):
    harness = Harness(tmp_path, seed=3, seeds=4, epochs=60)
    try:
        harness.round(lambda: harness.random.uniform(0.2, 1.5), lambda: harness.figures.faults.total() >= 5)
    finally:
        harness.close()
    assert harness.figures.lost == 0
    assert harness.figures.faults.total() >= 3
