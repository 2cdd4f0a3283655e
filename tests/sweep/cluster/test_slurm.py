"""`docs/slurm.sh` in a real Slurm: killed by its time limit and submitted again, it gives the rows of a local run."""

import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from tests.sweep.cluster.hosts import PROJECT
from tests.sweep.cluster.slurm import missing_programs, started
from tests.sweep.small import assert_same_rows, rows

SPEC = """
name: slurm
variants: [base, dropout]
seeds: 0:16
set: {epochs: 500}
dataset: {name: mnist5k, n_train: 600, n_test: 60}
engine: lanes
shard_width: 4
"""


@contextmanager
def undisturbed_run(spec, root, environment):
    """A local run of the same sweep, meanwhile."""
    words = [sys.executable, "-m", "sweep", "run", spec, "--root", root, "--executor", "inline"]
    process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
@pytest.mark.skipif(
    bool(missing_programs()),
    reason=f"not installed: {', '.join(missing_programs())} (Debian: slurmctld slurmd slurm-client munge)",
)
def test_a_sweep_killed_by_its_time_limit_continues_and_gives_the_rows_of_a_local_run(tmp_path):
    (tmp_path / "spec.yaml").write_text(SPEC)
    spec, root, local = (tmp_path / name for name in ("spec.yaml", "results", "local"))
    (tmp_path / "slurm").mkdir()
    script = (PROJECT / "docs/slurm.sh", spec, "--root", root, "--checkpoint-seconds", "1")
    with started(tmp_path / "slurm") as slurm, undisturbed_run(spec, local, slurm.environment) as undisturbed:
        first = slurm.submit("--cpus-per-task=1", "--time=30", *script)
        end = time.monotonic() + 400
        while not (list(root.glob("epochs/**/*.parquet")) and list(root.glob("checkpoints/**/*.npz"))):
            assert time.monotonic() < end, slurm.log(first)
            assert slurm.state(first) in ("PENDING", "RUNNING"), slurm.log(first)
            time.sleep(0.5)
        # The limit ends now instead of after 30 minutes. Slurm checks limits every 30 s.
        slurm.command("scontrol", "update", f"JobId={first}", "EndTime=now+3")
        assert slurm.wait(first, 120) == "TIMEOUT"
        done = len(list(root.glob("epochs/**/*.parquet")))
        assert 0 < done < 8

        second = slurm.submit("--cpus-per-task=1", "--nodes=2", "--time=30", *script)
        assert slurm.wait(second, 600) == "COMPLETED", slurm.log(second)
        assert f"{4 * done} already stored" in slurm.log(second)
        assert undisturbed.wait(timeout=600) == 0
    assert_same_rows(rows(root), rows(local))
