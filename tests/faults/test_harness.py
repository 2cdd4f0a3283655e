"""The short form: one sweep on a cluster of two raylets, five faults. `python -m tests.faults` runs two hundred."""

from tests.faults.harness import Harness


def test_a_disturbed_sweep_ends_in_the_rows_of_an_undisturbed_one(tmp_path):
    harness = Harness(tmp_path, seed=3, seeds=4, epochs=60)
    try:
        harness.round(lambda: harness.chance.uniform(0.2, 1.5), lambda: harness.figures.faults.total() >= 5)
    finally:
        harness.close()
    assert harness.figures.lost == 0
    assert harness.figures.faults.total() >= 3
