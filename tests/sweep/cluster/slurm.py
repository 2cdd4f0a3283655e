"""A real Slurm on this machine: munged, slurmctld and two slurmd, each node with one CPU, in a temporary folder."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.sweep.cluster.hosts import PROJECT, free_port

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
SEARCHED = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"

CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
ReturnToService=2
MpiDefault=none
KillWait=5
NodeName=one NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=1
NodeName=two NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=1
PartitionName=main Nodes=one,two Default=YES State=UP
"""

SWEEP = """#!/bin/bash
exec {python} -m sweep "$@"
"""


def missing_programs() -> list[str]:
    """Programs of Slurm that this machine lacks."""
    return [name for name in PROGRAMS if shutil.which(name, path=SEARCHED) is None]


@dataclass(frozen=True)
class Slurm:
    """A running Slurm. environment: of its commands and jobs."""

    folder: Path
    environment: dict[str, str]

    def command(self, *words: object) -> str:
        """The output of a command."""
        done = subprocess.run(
            list(map(str, words)),
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def submit(self, *words: object) -> str:
        """Submit a batch script; the job's number."""
        return self.command("sbatch", "--parsable", *words)

    def state(self, job: str) -> str:
        """State of a job: PENDING, RUNNING, COMPLETED, TIMEOUT …"""
        shown = self.command("scontrol", "--oneliner", "show", "job", job)
        return shown.partition("JobState=")[2].partition(" ")[0]

    def wait(self, job: str, seconds: float) -> str:
        """State in which a job ends."""
        end = time.monotonic() + seconds
        while (state := self.state(job)) in ("PENDING", "CONFIGURING", "RUNNING", "COMPLETING"):
            assert time.monotonic() < end, self.log(job)
            time.sleep(1)
        return state

    def log(self, job: str) -> str:
        """Output of a job."""
        return (self.folder / f"sweep-{job}.log").read_text()


@contextmanager
def started(folder: Path) -> Iterator[Slurm]:
    """Start Slurm in an empty folder, and end it and its jobs after the block."""
    slurm = Slurm(folder, _environment(folder))
    _configure(folder)
    munge = [
        f"--{name}={folder}/munge.{name.split('-')[0]}"
        for name in ("key-file", "socket", "pid-file", "seed-file")
    ]
    commands = [
        ["munged", "--foreground", "--force", *munge, f"--log-file={folder}/munged.log"],
        ["slurmctld", "-D", "-i"],
        ["slurmd", "-D", "-N", "one"],
        ["slurmd", "-D", "-N", "two"],
    ]
    daemons = []
    try:
        for i, words in enumerate(commands):
            with (folder / f"daemon-{i}.log").open("w") as log:
                daemons.append(
                    subprocess.Popen(words, env=slurm.environment, cwd=folder, stdout=log, stderr=log)
                )
            time.sleep(0.5)
        _wait_for_nodes(slurm)
        yield slurm
    finally:
        subprocess.run(
            ["scancel", "--state=RUNNING", "--user", str(os.getuid())], env=slurm.environment, check=False
        )
        end = time.monotonic() + 20
        while time.monotonic() < end and slurm.command("squeue", "--noheader"):
            time.sleep(1)
        for daemon in reversed(daemons):
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(timeout=20)


def _environment(folder: Path) -> dict[str, str]:
    """PATH with this environment's Python and `sweep`; a home folder for the token."""
    (folder / "bin").mkdir()
    (folder / "home").mkdir()
    (folder / "bin" / "sweep").write_text(SWEEP.format(python=sys.executable))
    (folder / "bin" / "sweep").chmod(0o755)
    own = {
        "PATH": f"{folder}/bin:{Path(sys.executable).parent}:{SEARCHED}",
        "PYTHONPATH": str(PROJECT),
        "HOME": str(folder / "home"),
        "SLURM_CONF": str(folder / "slurm.conf"),
    }
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "SLURM_"))
    } | own


def _configure(folder: Path) -> None:
    (folder / "state").mkdir()
    fields = {"host": socket.gethostname().partition(".")[0], "user": os.getuid(), "folder": folder}
    ports = [free_port() for _ in range(3)]
    (folder / "slurm.conf").write_text(CONFIGURATION.format(ports=ports, **fields))
    plugin = "autodetect" if Path("/sys/fs/cgroup/cgroup.controllers").exists() else "cgroup/v1"
    (folder / "cgroup.conf").write_text(f"CgroupPlugin={plugin}\n")
    (folder / "munge.key").write_bytes(os.urandom(64))
    (folder / "munge.key").chmod(0o600)


def _wait_for_nodes(slurm: Slurm) -> None:
    end = time.monotonic() + 60
    while "idle one,two" not in slurm.command("sinfo", "--noheader", "--format=%t %N"):
        logs = "".join(log.read_text()[-1000:] for log in sorted(slurm.folder.glob("daemon-*.log")))
        assert time.monotonic() < end, logs
        time.sleep(0.5)
