"""Random streams are pure functions of (seed, stream, epoch, step) with uniform distributions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from model.streams import (
    draw_dropout_mask,
    draw_shift,
    drop_threshold,
    epoch_key,
    presentation_order,
    stream_key,
    stream_seed,
)
from model.variants import variant

seeds = st.integers(0, 2**32 - 1).map(np.uint32)


def threefry(key: tuple[int, int], counter: tuple[int, int]) -> tuple[int, int]:
    """Threefry-2x32 with 20 rounds from the paper (Salmon et al. 2011), in Python integers."""
    mask = 2**32 - 1
    schedule = (*key, key[0] ^ key[1] ^ 0x1BD11BDA)
    a, b = (counter[0] + key[0]) & mask, (counter[1] + key[1]) & mask
    for round_ in range(20):
        turn = (13, 15, 26, 6, 17, 29, 16, 24)[round_ % 8]
        a = (a + b) & mask
        b = ((b << turn | b >> (32 - turn)) & mask) ^ a
        if round_ % 4 == 3:
            i = round_ // 4 + 1
            a, b = (a + schedule[i % 3]) & mask, (b + schedule[(i + 1) % 3] + i) & mask
    return a, b


@settings(max_examples=10, deadline=None)
@given(seeds, st.integers(1, 100_000), st.integers(0, 60_000))
def test_draws_are_threefry_of_the_counters(seed: np.uint32, epoch: int, step: int) -> None:
    """An engine in another language can therefore compute the same draws."""

    def bits(stream: int, i: int) -> int:
        key = (0, int(seed))
        for number in (stream, epoch, step):
            key = threefry(key, (0, number))
        a, b = threefry(key, (0, i))
        return a ^ b

    shift = draw_shift(epoch_key(seed, "shift", jnp.int32(epoch)), jnp.int32(step), 3)
    assert shift.tolist() == [bits(1, i) % 7 - 3 for i in (0, 1)]
    dropout_mask = draw_dropout_mask(epoch_key(seed, "dropout", jnp.int32(epoch)), jnp.int32(step), 0.25)
    assert dropout_mask.tolist() == [bits(2, i) >= 2**30 for i in range(192)]


def test_streams_epochs_and_seeds_have_distinct_keys() -> None:
    keys = {
        tuple(jax.random.key_data(epoch_key(np.uint32(seed), stream, epoch)).tolist())
        for seed in (0, 1, 2**32 - 1)
        for stream in ("init", "shift", "dropout")
        for epoch in (1, 2, 80)
    }
    assert len(keys) == 27
    assert stream_key(np.uint32(3), "init") != stream_key(np.uint32(4), "init")


@pytest.mark.parametrize("largest", [1, 3, 8])
def test_all_shifts_are_equally_likely(largest: int) -> None:
    key = epoch_key(np.uint32(5), "shift", 1)
    shifts = np.asarray(jax.vmap(lambda step: draw_shift(key, step, largest))(jnp.arange(20_000)))
    sides = 2 * largest + 1
    counts = np.bincount(((shifts[:, 0] + largest) * sides + shifts[:, 1] + largest), minlength=sides**2)
    assert len(counts) == sides**2  # rows and columns are independent, and within the largest shift
    assert stats.chisquare(counts).pvalue > 1e-4


@pytest.mark.parametrize("rate", [0.01, 0.25, 0.9])
def test_units_are_dropped_at_the_requested_rate(rate: float) -> None:
    key = epoch_key(np.uint32(6), "dropout", 1)
    dropout_mask = np.asarray(jax.vmap(lambda step: draw_dropout_mask(key, step, rate))(jnp.arange(2000)))
    dropped = int((~dropout_mask).sum())
    assert stats.binomtest(dropped, dropout_mask.size, rate).pvalue > 1e-4
    by_unit = (~dropout_mask).sum(axis=0)
    assert (
        stats.chisquare(by_unit).pvalue > 1e-4 or rate == 0.9
    )  # 0.9: too few kept units for a chi-square test
    assert stats.chisquare(dropout_mask.sum(axis=0)).pvalue > 1e-4 or rate != 0.9


def test_rate_zero_drops_no_unit() -> None:
    assert drop_threshold(0.0) == 0
    assert draw_dropout_mask(epoch_key(np.uint32(6), "dropout", 1), 0, 0.0).all()


# --- fixed streams and presentation orders ----------------------------------------------------------------

FIXED = {"init": "init_seed", "shift": "shift_seed", "dropout": "dropout_seed"}


@given(st.sampled_from(sorted(FIXED)), st.integers(0, 2**32 - 1), st.lists(seeds, min_size=1, max_size=5))
def test_a_fixed_stream_uses_one_seed_and_other_streams_are_unchanged(
    stream: str, fixed: int, own: list
) -> None:
    v = variant("dropout", **{FIXED[stream]: fixed})
    for other in FIXED:
        expected = [fixed] * len(own) if other == stream else own
        assert stream_seed(v, other, np.array(own, np.uint32)).tolist() == list(map(int, expected))


@given(st.integers(0, 2**32 - 1), st.integers(1, 100), st.integers(1, 300))
def test_an_order_presents_every_digit_once(order_seed: int, epoch: int, n: int) -> None:
    order = presentation_order(order_seed, epoch, n)
    assert sorted(order.tolist()) == list(range(n))
    if order_seed == 0:
        assert order.tolist() == list(range(n))


def test_orders_never_change() -> None:
    """Golden: stored results depend on them."""
    assert presentation_order(1, 1, 10).tolist() == [0, 6, 5, 3, 4, 9, 7, 8, 2, 1]
    assert presentation_order(1, 2, 10).tolist() == [4, 2, 0, 6, 1, 5, 9, 8, 7, 3]
    assert presentation_order(2, 1, 10).tolist() == [2, 7, 0, 9, 8, 1, 5, 6, 3, 4]


@pytest.mark.parametrize("position", [0, 1, 99])
def test_all_positions_of_a_digit_are_equally_likely(position: int) -> None:
    digits = [
        presentation_order(seed, epoch, 100)[position] for seed in range(1, 51) for epoch in range(1, 41)
    ]
    assert stats.chisquare(np.bincount(digits, minlength=100)).pvalue > 1e-4
