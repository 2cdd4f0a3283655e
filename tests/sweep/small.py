"""A sweep on real digits that is small enough to run many times in the tests."""

import signal

import pandas as pd

from sweep.driver.session import run
from sweep.settings import Settings
from sweep.spec.spec import SweepSpec, parse
from sweep.store.schema import EPOCHS
from sweep.store.store import Store

DIGITS = {"name": "mnist5k", "n_train": 120, "n_test": 60}


def small_spec(**changes) -> SweepSpec:
    fields = {
        "variants": "base,dropout",
        "seeds": "0:6",
        "set": {"epochs": 3},
        "dataset": DIGITS,
        "shard_width": 4,
    }
    return parse(fields | changes)


def run_inline(root, spec: SweepSpec | None = None, **settings):
    return run(spec or small_spec(), Store(str(root)), Settings(executor="inline", **settings))


def rows(root) -> pd.DataFrame:
    """Sorted rows without provenance, independent of the files that hold them."""
    frame = Store(str(root)).epochs()[EPOCHS.names].astype({"variant": str, "dataset": str, "recipe": str})
    return frame.sort_values(["variant", "seed", "epoch"], ignore_index=True)


def assert_same_rows(left: pd.DataFrame, right: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(left, right, check_exact=True, check_categorical=False)


def hear_interrupts() -> None:
    """Restore SIGINT in a child process. Background jobs of a shell ignore it, and so do their children."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
