"""Times of stored shards set the scale, until the first epochs of this command show its own pace."""

from itertools import product

import pytest

from model.variants import variant
from sweep.driver.cost import NEWEST, RECENT, Costs, relative_cost
from sweep.spec.shard import Cell, Shard
from sweep.store.schema import FileMetadata

BASE, SOFTMAX, ADAMW, AUGMENT, DROPOUT = map(variant, ("base", "softmax", "adamw", "augment", "dropout"))
N_TRAIN = 7291
IDLE = 2.4e-6  # seconds of one presentation to `base`


def shard(of, first_seed=0):
    return Shard(Cell(of, "mnist", "d" * 64, N_TRAIN), range(first_seed, first_seed + 16))


def stored(of, seconds, minute=0, engine="lanes"):
    """Metadata of a shard whose presentations took `seconds` each."""
    return FileMetadata(
        variant=of.to_stored(),
        variant_digest=of.digest,
        dataset={"name": "mnist", "n_train": N_TRAIN, "n_test": 2007},
        dataset_digest="d" * 64,
        first_seed=0,
        last_seed=15,
        epochs=of.epochs,
        engine=engine,
        device="cpu",
        code="0.1.0",
        versions={},
        started=f"2026-01-01T{minute // 60:02d}:{minute % 60:02d}:00+00:00",
        seconds=seconds * 16 * N_TRAIN * of.epochs,
    )


# Microseconds per presentation in the store of a real sweep, trained on a machine with a load of 15 to 40.
LOADED = {BASE: (11, 98, 15), SOFTMAX: (27, 31, 20), ADAMW: (69, 95), AUGMENT: (63, 59, 132, 264)}


def test_a_resume_on_an_idle_machine_takes_over_its_own_speed():
    """The store says 14 hours; the machine needs one. Three epochs of the first variant show it."""
    costs = Costs(stored(of, each * 1e-6) for of, times in LOADED.items() for each in times)
    missing = [BASE, SOFTMAX, ADAMW, AUGMENT, DROPOUT]

    def left():
        return sum(costs.seconds(of) * shard(of).work for of in missing)

    true = sum(IDLE * relative_cost(of) * shard(of).work for of in missing)
    assert left() > 6 * true
    for _ in range(3):
        costs.observe(shard(AUGMENT), IDLE * 1.6 * shard(AUGMENT).presentations(1))
    assert left() == pytest.approx(true, rel=0.01)


def test_the_time_follows_the_load_within_a_few_epochs():
    costs = Costs([stored(BASE, IDLE)])
    epoch = shard(BASE).presentations(1)
    for load in (1, 10):
        for _ in range(RECENT):
            costs.observe(shard(BASE), load * IDLE * epoch)
    assert costs.seconds(BASE) == pytest.approx(10 * IDLE)
    assert costs.seconds(ADAMW) == pytest.approx(16 * IDLE)


def test_one_slow_epoch_such_as_a_compilation_does_not_count():
    costs = Costs()
    for seconds in (60.0, 1.0, 1.0):
        costs.observe(shard(BASE), seconds)
    assert costs.seconds(BASE) * shard(BASE).presentations(1) == pytest.approx(1.0)


def test_stored_times_are_the_median_of_the_newest_shards():
    old = [stored(BASE, 100 * IDLE, minute) for minute in range(NEWEST)]
    new = [stored(BASE, IDLE, NEWEST + minute) for minute in range(NEWEST)]
    new[3] = stored(BASE, 300 * IDLE, NEWEST + 3)
    assert Costs([*new, *old]).seconds(BASE) == pytest.approx(IDLE)


@pytest.mark.parametrize("times", list(product((10, 100), repeat=3)))
def test_the_order_of_work_does_not_depend_on_the_load_of_the_past(times):
    """Longest first: dropout has more epochs than augment, and augment more than base."""
    each = zip((BASE, AUGMENT, DROPOUT), times, strict=True)
    costs = Costs(stored(of, seconds * 1e-6) for of, seconds in each)
    work = {of: costs.weight(of) * shard(of).work for of in (BASE, AUGMENT, DROPOUT)}
    assert sorted(work, key=work.__getitem__) == [BASE, AUGMENT, DROPOUT]


def test_a_variant_that_its_engine_does_not_support_keeps_the_speed_of_the_other_engine():
    costs = Costs([stored(BASE, IDLE), stored(DROPOUT, 50 * IDLE, engine="vmap")])
    assert costs.weight(DROPOUT) / costs.weight(BASE) == pytest.approx(50)
    costs.observe(shard(BASE), 2 * IDLE * shard(BASE).presentations(1))
    assert costs.seconds(DROPOUT) == pytest.approx(100 * IDLE)
