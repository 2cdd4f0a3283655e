"""`--until` trains look by look and stops when the question is answered."""

import signal

import pytest

from sweep.cli.until import Goal
from sweep.errors import SpecError
from sweep.store.records import recorded_sweeps
from sweep.store.store import Store
from tests.sweep.cli.command import sweep
from tests.sweep.driver.test_stop import interrupted

SPEC = "variants: [base, dropout]\nseeds: 0:64\nset: {epochs: 1}\n"
SPEC += "dataset: {name: mnist5k, n_train: 400, n_test: 100}\n"


def run(tmp_path, *options):
    (tmp_path / "spec.yaml").write_text(SPEC)
    return sweep("run", "spec.yaml", "--executor", "inline", "--root", "r", *options, cwd=tmp_path)


def recorded(tmp_path):
    return {str(record.spec.seed_ranges) for record in recorded_sweeps(Store(str(tmp_path / "r"))).values()}


def test_a_sweep_stops_when_its_step_is_decided(tmp_path):
    """After one epoch on 400 digits, dropout misses far more test digits than base. Other runs play no part."""
    other = run(tmp_path, "--seeds", "100:102", "--variants", "softmax")
    assert other.code == 0, other.err
    ended = run(tmp_path, "--until", "decided")
    assert ended.code == 0, ended.err
    assert "16 of 64 seeds: the question is answered\n" in ended.err
    assert recorded(tmp_path) == {"0:16", "100:102"}
    table = sweep("table", "decisions", "--seeds", "0:64", "--root", tmp_path / "r").out
    assert "larger" in table
    assert "number of comparisons: 1." in table
    assert run(tmp_path, "--until", "decided").err.count("nothing to train") == 1


def test_seeds_beyond_the_look_do_not_count(tmp_path):
    """A root that holds more seeds is looked at in the same order."""
    assert run(tmp_path, "--seeds", "0:33", "--variants", "base").code == 0
    ended = run(tmp_path, "--variants", "base", "--seeds", "0:33", "--until", "halfwidth=0.001")
    assert ended.code == 0, ended.err
    widths = [line.rpartition("±")[2] for line in ended.err.splitlines() if "the mean of base" in line]
    assert len(widths) == 3
    assert widths[0] != widths[1]
    assert ended.err.endswith("not answered with the seeds of the spec\n")
    assert recorded(tmp_path) == {"0:16", "0:32", "0:33"}


def test_the_time_limit_ends_the_looks(tmp_path):
    ended = run(tmp_path, "--until", "halfwidth=0.001", "--max-hours", "0")
    assert ended.code == 0, ended.err
    assert "the time limit of 0 h is reached, 128 runs left" in ended.err
    assert recorded(tmp_path) == {"0:16"}


@pytest.mark.slow
def test_an_interruption_between_two_looks_and_its_continuation(tmp_path):
    (tmp_path / "spec.yaml").write_text(SPEC)
    options = ("--executor", "inline", "--variants", "base", "--until", "halfwidth=0.001")
    code, text = interrupted(tmp_path, "16 of 64 seeds", *options, number=signal.SIGTERM)
    assert code == 130
    assert "To continue: sweep run spec.yaml" in text
    assert "--until halfwidth=0.001" in text
    ended = run(tmp_path, "--variants", "base", "--until", "halfwidth=0.001")
    assert ended.code == 0, ended.err
    assert recorded(tmp_path) == {"0:16", "0:32", "0:64"}


def test_the_dry_run_counts_the_runs_of_the_last_look(tmp_path):
    ended = run(tmp_path, "--seeds", "0:50", "--until", "decided", "--dry-run")
    assert ended.code == 0, ended.err
    assert "64 of 64 runs would be trained" in ended.out  # 32 seeds: 50 is not a look
    assert ended.out.endswith("--until decided may end it after 16 seeds of each variant\n")
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--variants", "base"), "--until decided compares variants: the spec has only one"),
        (("--seeds", "0:8"), "--until decided looks at 16 seeds first: the spec has 8"),
    ],
)
def test_a_spec_that_cannot_be_decided_is_rejected(tmp_path, options, text):
    ended = run(tmp_path, *options, "--until", "decided")
    assert (ended.code, ended.err) == (2, f"sweep: {text}\n")
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    "text", ["soon", "halfwidth", "halfwidth=", "halfwidth=0", "halfwidth=-1", "halfwidth=inf", "decided=1"]
)
def test_another_goal_is_rejected(text):
    with pytest.raises(SpecError, match="write decided, or halfwidth=N"):
        Goal.parse(text)
