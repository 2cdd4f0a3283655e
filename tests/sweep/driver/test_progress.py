"""The remaining time is correct during start-up, after a resume, and for variants of unequal cost."""

import io

import pytest
from rich.console import Console

from model.variants import variant
from sweep.driver.cost import Costs, relative_cost
from sweep.driver.progress import Display
from sweep.messages import Finished, Progress, Repartitioned, Retried, Started
from sweep.spec.shard import Cell, Shard

BASE, ADAMW = (Cell(variant(name, epochs=10), "mnist5k", "d" * 64, 3920) for name in ("base", "adamw"))


def display_of(shards, costs=None, **options):
    text = io.StringIO()
    display = Display(Console(file=text), costs, **options)
    display.phase("starting Ray")
    display.begin(shards, 3)
    return display, text


def started(epoch=0):
    return Started(epoch, "lanes", "cpu", None)


def test_events_before_training_are_printed():
    _, text = display_of([Shard(BASE, range(4))])
    assert text.getvalue().splitlines() == [
        "starting Ray",
        "4 runs to train in 1 shard, 3 already stored",
    ]


def test_epochs_are_weighted_by_their_cost():
    """Here `adamw` takes twice the time of `base`, so its ten epochs are two thirds of the work."""
    one, other = Shard(BASE, range(4)), Shard(ADAMW, range(4))
    display, _ = display_of([one, other])
    for shard, seconds in ((one, 1.0), (other, 2.0)):
        display.message(shard, started())
        display.message(shard, Progress(1, [], seconds=seconds))
    assert display.share_done() == pytest.approx(0.1)
    assert display.seconds_left() == pytest.approx(9 * 2.0)  # of the longer shard
    for epoch in range(2, 11):
        display.message(one, Progress(epoch, [], seconds=1.0))
    assert display.share_done() == pytest.approx((10 * 1.0 + 2.0) / 30)


def test_epochs_before_a_resume_count_as_done_but_not_for_the_speed():
    shard, next_one = Shard(BASE, range(4)), Shard(BASE, range(4, 8))
    display, _ = display_of([shard, next_one])
    assert display.seconds_left() is None
    display.message(shard, started(epoch=8))
    assert display.seconds_left() is None
    display.message(shard, Progress(9, [], seconds=5.0))
    assert display.share_done() == pytest.approx(9 / 20)
    assert display.seconds_left() == pytest.approx(11 * 5.0)


def test_stored_times_give_the_remaining_time_before_the_first_epoch():
    costs = Costs()
    costs.observe(Shard(BASE, range(4)), 4.0)
    shard = Shard(ADAMW, range(2))
    display, _ = display_of([shard], costs)
    display.message(shard, started())
    assert display.seconds_left() == pytest.approx(20 * relative_cost(ADAMW.variant))


def test_an_epoch_over_more_digits_is_more_work():
    small, large = (
        Shard(Cell(BASE.variant, "mnist", digit * 64, n), range(4)) for digit, n in (("a", 1000), ("b", 9000))
    )
    display, _ = display_of([small, large])
    for shard, seconds in ((small, 1.0), (large, 9.0)):
        display.message(shard, started())
        display.message(shard, Progress(1, [], seconds=seconds))
    assert display.share_done() == pytest.approx(0.1)
    for epoch in range(2, 11):
        display.message(small, Progress(epoch, [], seconds=1.0))
    assert display.share_done() == pytest.approx((10 * 1 + 9) / 100)
    display.message(small, Finished(None, None, None))
    assert display.seconds_left() == pytest.approx(9 * 9.0)


def test_epochs_of_a_failed_attempt_are_subtracted():
    shard = Shard(BASE, range(4))
    display, text = display_of([shard])
    display.message(shard, started())
    display.message(shard, Progress(1, [0.5], seconds=1.0))
    display.message(shard, Retried("WorkerCrashedError: next attempt in 1 s"))
    assert display.share_done() == 0
    assert "base,epochs=10[0:4]: WorkerCrashedError: next attempt in 1 s" in text.getvalue()
    halves = Shard(BASE, range(2)), Shard(BASE, range(2, 4))
    display.message(shard, started(epoch=4))
    display.message(shard, Repartitioned((shard,), halves, "memory"))
    assert display.share_done() == 0
    display.message(halves[0], started())
    display.message(halves[0], Progress(10, [0.1, 0.2], seconds=1.0))
    display.message(halves[0], Finished(None, None, None))
    assert display.share_done() == pytest.approx(0.5)


def test_the_line_keeps_its_length_with_many_variants():
    cells = [
        Cell(variant("base", learning_rate=rate / 1000), "mnist5k", "d" * 64, 4000) for rate in range(1, 21)
    ]
    shards = [Shard(cell, range(16)) for cell in cells]
    display, text = display_of(shards, line_seconds=0)
    for shard in shards:
        display.message(shard, started())
    assert text.getvalue().splitlines()[-1] == "  0%  estimating the time left  0/320 runs"
    for shard in shards:
        display.message(shard, Progress(1, [0.25], seconds=1.0))
    line = text.getvalue().splitlines()[-1]
    assert line.endswith(
        "0/320 runs  base,learning_rate=0.001 25.00%, base,learning_rate=0.002 25.00%, 18 more"
    )


def test_no_line_is_printed_before_the_first_interval():
    shard = Shard(BASE, range(4))
    display, text = display_of([shard])
    display.message(shard, started())
    assert "%" not in text.getvalue()
