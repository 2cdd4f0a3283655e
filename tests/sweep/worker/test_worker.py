"""Rows do not depend on interruptions or on other replicas; a diverged run is a result."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data import load
from data.dataset import Examples
from data.options import DatasetOptions
from model.engines import lanes, load_engine, vmap
from model.streams import presentation_order
from model.variants import variant
from sweep.messages import Finished, Progress, Started
from sweep.spec.shard import Cell, Shard
from sweep.worker import checkpoint
from sweep.worker.worker import run_shard
from tests.sweep.small import assert_same_rows, rows, run_inline, small_spec

needs_lanes = pytest.param(
    "lanes", marks=pytest.mark.skipif(lanes.unsupported() is not None, reason=str(lanes.unsupported()))
)


@pytest.fixture(scope="module")
def dataset():
    return load(DatasetOptions("mnist5k", n_train=120, n_test=60))


def shard_of(seeds=range(3), **overrides):
    return Shard(Cell(variant("dropout", **{"epochs": 3} | overrides), "mnist5k", "d" * 64, 120), seeds)


def finished(messages):
    *_, last = messages
    assert isinstance(last, Finished)
    return last


def test_a_shard_yields_its_messages_in_order(dataset):
    messages = list(run_shard(shard_of(), dataset, "auto", checkpoint_seconds=0))
    assert [type(m) for m in messages] == [Started, Progress, Progress, Progress, Finished]
    assert [m.epoch for m in messages[1:4]] == [1, 2, 3]
    assert [m.checkpoint is not None for m in messages[1:4]] == [True, True, False]
    assert messages[-1].epochs.num_rows == 9
    assert messages[-1].labels.num_rows == 3


@pytest.mark.parametrize("name", ["base", "dropout"])
def test_resumed_equals_uninterrupted_bit_for_bit(dataset, name):
    shard = Shard(Cell(variant(name, epochs=3), "mnist5k", "d" * 64, 120), range(3))
    whole = list(run_shard(shard, dataset, "auto", checkpoint_seconds=0))
    for message in whole[1:3]:
        resumed = list(run_shard(shard, dataset, "auto", resume_from=message.checkpoint))
        assert resumed[0].epoch == message.epoch
        assert finished(resumed).epochs.equals(finished(whole).epochs)
        assert finished(resumed).labels.equals(finished(whole).labels)


@pytest.mark.parametrize("engine", [needs_lanes, pytest.param("vmap", marks=pytest.mark.slow)])
def test_an_order_is_the_same_for_any_width_and_after_a_resume(engine):
    digits = load(DatasetOptions("mnist5k", n_train=24, n_test=20))
    tables = {}
    for order_seed in (0, 3):
        shard = shard_of(range(4), epochs=2, order_seed=order_seed)
        whole = list(run_shard(shard, digits, engine, checkpoint_seconds=0))
        tables[order_seed] = finished(whole).epochs.to_pandas()
        resumed = list(run_shard(shard, digits, engine, resume_from=whole[1].checkpoint))
        assert resumed[0].epoch == 1
        assert finished(resumed).epochs.equals(finished(whole).epochs)
        narrow = finished(run_shard(shard_of(range(1, 3), epochs=2, order_seed=order_seed), digits, engine))
        expected = tables[order_seed].query("seed in (1, 2)").reset_index(drop=True)
        assert narrow.epochs.to_pandas().equals(expected)
        assert tables[order_seed]["train_loss"].tolist() == losses(engine, shard, digits)
    assert (tables[0]["train_loss"] != tables[3]["train_loss"]).any()


def losses(engine, shard, digits):
    """Training loss of each seed and epoch, from the engine's functions and digits in the presentation order."""
    runner, v = load_engine(engine), shard.cell.variant
    states, found = runner.init(v, np.array(shard.seeds, np.uint32)), []
    for epoch in range(1, v.epochs + 1):
        order = presentation_order(v.order_seed, epoch, len(digits.train))
        train = (
            digits.train
            if v.order_seed == 0
            else Examples(digits.train.images[order], digits.train.labels[order])
        )
        states = runner.train_epoch(v, states, train.images, train.labels, epoch)
        found.append(runner.evaluate(v, states.params, digits.train.images, digits.train.labels).loss)
    return np.stack(found, axis=1).ravel().tolist()


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_a_damaged_checkpoint_is_never_used(dataset, data):
    shard = shard_of(epochs=2, shift=0, dropout=0)
    fresh = vmap.init(shard.cell.variant, np.array(shard.seeds, np.uint32))
    whole = next(
        m for m in run_shard(shard, dataset, "auto", checkpoint_seconds=0) if isinstance(m, Progress)
    ).checkpoint
    place = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        damaged = whole[:place]
    else:
        damaged = (
            whole[:place] + bytes([whole[place] ^ (1 << data.draw(st.integers(0, 7)))]) + whole[place + 1 :]
        )
    loaded = checkpoint.load(damaged, fresh, shard.name)
    if loaded is not None:  # the flipped bit is outside the content
        intact = checkpoint.load(whole, fresh, shard.name)
        np.testing.assert_array_equal(loaded.states.params["bias1"], intact.states.params["bias1"])
        assert loaded.epoch == intact.epoch


def test_a_diverged_replica_is_a_result(dataset):
    wild = Shard(
        Cell(variant("softmax", activation="relu", epochs=2, learning_rate=1e6), "mnist5k", "d" * 64, 120),
        range(2),
    )
    table = finished(run_shard(wild, dataset, "auto"))
    frame = table.epochs.to_pandas()
    assert (frame["status"] == "diverged").all()
    assert frame[["test_misses", "test_loss", "test_error", "train_misses"]].isna().all(axis=None)
    assert table.labels["predictions"].null_count == 2
    assert table.labels["margins"].null_count == 2


@pytest.mark.parametrize("engine", ["vmap", "auto"])
def test_margins_are_stored_for_every_test_digit(dataset, engine):
    shard = shard_of(epochs=1)
    table = finished(run_shard(shard, dataset, engine)).labels
    states = vmap.init(shard.cell.variant, np.array(shard.seeds, np.uint32))
    trained = vmap.train_epoch(shard.cell.variant, states, dataset.train.images, dataset.train.labels, 1)
    expected = vmap.margins(shard.cell.variant, trained.params, dataset.test.images)
    margins = np.stack(table["margins"].to_numpy())
    assert margins.dtype == np.float16
    np.testing.assert_allclose(margins.astype(float), expected.astype(float), atol=4e-3)


def test_shard_width_does_not_change_a_row(tmp_path):
    spec = {"seeds": "0:20", "set": {"epochs": 1}}
    for width in (3, 8, 16, 32):
        run_inline(tmp_path / str(width), small_spec(**spec, shard_width=width))
    for width in (3, 8, 16):
        assert_same_rows(rows(tmp_path / str(width)), rows(tmp_path / "32"))


def test_extending_trains_only_what_is_new_and_gives_the_same_rows(tmp_path):
    first = run_inline(tmp_path / "a", small_spec(seeds="0:4"))
    second = run_inline(tmp_path / "a", small_spec(seeds="0:6"))
    assert (first.runs_trained, second.runs_trained) == (8, 4)
    assert run_inline(tmp_path / "a", small_spec(seeds="1:5")).runs_trained == 0
    run_inline(tmp_path / "b")
    assert_same_rows(rows(tmp_path / "a"), rows(tmp_path / "b"))
