"""Sweeps as Ray jobs. The job receives the code and the specs, and the driver runs on the head node.

The name of a job is derived from its specs and its root. Submitting again while the job is active changes nothing.
Afterwards it starts a new job with the same name and a counter, which trains the missing runs. The jobs of one root
take turns (`sweep.store.queue`).
"""

import asyncio
import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

from sweep.errors import SpecError, one_line
from sweep.network import require_answer
from sweep.provenance import code_id
from sweep.settings import CODE, REQUEST
from sweep.spec.spec import SweepSpec
from sweep.store.queue import HOLDING, WAITING

PACKAGES = ("data", "model", "sweep")
DEFAULT_ADDRESS = "http://127.0.0.1:8265"
ENTRYPOINT = "python -m sweep.cli.job"
STOP_SECONDS = 30.0
START_SECONDS = 120.0
QUEUE_SECONDS = 60.0  # until the driver of an earlier job has reached its root
NOT_YET = "No available agent"
RAY_LOG_LINES = ("INFO job_manager.py", "Running entrypoint for job")  # in the output of a job
_COUNTER = "~"  # between the name of a job and its counter


@dataclass(frozen=True)
class Job:
    """A submitted job."""

    name: str
    status: str  # PENDING, RUNNING, STOPPED, SUCCEEDED, FAILED
    root: str
    summary: str  # variants and seeds
    began: float | None  # Unix time in seconds
    ended: float | None
    priority: int
    waiting: int | None = None  # place among the submitted jobs that wait for the root, from 1

    @property
    def active(self) -> bool:
        """Pending or running."""
        return self.status in ("PENDING", "RUNNING")


class Cluster:
    """Client of the job server of a cluster.

    Raises:
      SpecError: the extra `cluster` is not installed.
      ConnectionError: no server responds at the address, or it rejects the token.
    """

    def __init__(self, address: str | None) -> None:
        self.address = address or os.environ.get("RAY_API_SERVER_ADDRESS") or DEFAULT_ADDRESS
        try:
            require_answer(self.address)
        except ConnectionError as error:
            raise ConnectionError(f"{error}; `ray dashboard cluster.yaml` forwards the port of one") from None
        os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        try:
            from ray.job_submission import JobSubmissionClient

            self._client = JobSubmissionClient(self.address)
            for name in ("ray", "ray.dashboard.modules.dashboard_sdk", "ray.dashboard.modules.job.sdk"):
                logging.getLogger(name).setLevel(logging.WARNING)  # hide messages about uploads
        except (ImportError, RuntimeError) as error:
            if "install" in str(error) or isinstance(error, ImportError):
                raise SpecError("cluster commands require: pip install 'lecun1989-sweep[cluster]'") from None
            raise ConnectionError(f"{self.address}: {one_line(error)}") from None
        except Exception as error:  # ConnectionError, or errors of requests and Ray
            raise ConnectionError(
                f"{self.address}: no cluster responds ({one_line(error)}); `ray dashboard cluster.yaml` "
                "forwards the port"
            ) from None

    def jobs(self) -> list[Job]:
        """All submitted sweeps, oldest first; at the end those that wait, in the order of their turns."""
        found = self._submitted()
        return in_turn(found, {job.name for job in found if job.active and self._said(job) == WAITING})

    def _submitted(self) -> list[Job]:
        """All submitted sweeps, oldest first, without their places."""
        found = []
        for details in self._client.list_jobs():
            request = (details.metadata or {}).get("lecun1989")
            if request is not None and details.submission_id:
                stored = json.loads(request)
                began, ended = (t / 1000 if t else None for t in (details.start_time, details.end_time))
                name, status = details.submission_id, details.status.value
                priority = stored.get("priority", 0)
                found.append(Job(name, status, stored["root"], stored["asks"], began, ended, priority))
        return sorted(found, key=lambda job: job.began or float("inf"))

    def submit(self, specs: Sequence[SweepSpec], root: str, options: dict[str, Any]) -> tuple[str, bool]:
        """Submit a job that trains specs one after the other, unless the same job is active.

        It waits for the earlier jobs of the root. To keep the order, it is submitted once their drivers have reached
        the root.

        Args:
          specs: the sweeps.
          root: the root, as seen by the head node.
          options: of `sweep.settings.Settings`.

        Returns:
          The name of the job, and whether it is new.
        """
        name = submission_name(specs, root)
        submitted = self._submitted()
        earlier = [job for job in submitted if job.name.partition(_COUNTER)[0] == name]
        for job in earlier:
            if job.active:
                return job.name, False
        if earlier:
            name = f"{name}{_COUNTER}{len(earlier) + 1}"
        summary = "; ".join(f"{'+'.join(s.variants)} × seeds {s.seeds}" for s in specs)
        self._await_turns([job for job in submitted if job.root == root and job.active])
        metadata = {"root": root, "asks": summary, "priority": options["priority"]}
        request = {"specs": [s.to_stored() for s in specs], "root": root, "options": options}
        self._start(name, ENTRYPOINT, request, {"lecun1989": json.dumps(metadata)})
        return name, True

    def run_command(self, command: str) -> str:
        """Run a read-only command of `sweep` on the head node, delete its job, and return its output."""
        name = f"command-{time.time_ns()}"
        self._start(name, f"python -m sweep {command}", {}, {})
        while not self._client.get_job_status(name).is_terminal():
            time.sleep(0.2)
        output = self._client.get_job_logs(name)
        self._client.delete_job(name)
        lines = output.splitlines()
        return "\n".join(line for line in lines if not any(prefix in line for prefix in RAY_LOG_LINES))

    def logs(self, name: str) -> str:
        """The output of a job so far."""
        self._known(name)
        return self._client.get_job_logs(name)

    def follow(self, name: str) -> Iterator[str]:
        """The output of a job, until it ends."""
        self._known(name)
        stream = self._client.tail_job_logs(name)

        async def following() -> str | None:
            return await anext(stream, None)

        with asyncio.Runner() as runner:
            while (text := runner.run(following())) is not None:
                yield text

    def stop(self, name: str) -> Job:
        """Stop a job like Ctrl-C. Finished shards and the last checkpoints are kept."""
        if self._known(name).active:
            self._client.stop_job(name)
        end = time.monotonic() + STOP_SECONDS
        while (job := self._known(name)).active and time.monotonic() < end:
            time.sleep(0.2)
        return job

    def _await_turns(self, jobs: list[Job]) -> None:
        """Wait until each driver holds its root, waits for it or has ended. Those of version 0.1 say neither."""
        end = time.monotonic() + QUEUE_SECONDS
        for job in jobs:
            while self._said(job) is None and self._known(job.name).active and time.monotonic() < end:
                time.sleep(0.2)

    def _said(self, job: Job) -> str | None:
        """`HOLDING` or `WAITING`, whichever the driver said last; None if neither."""
        lines = self._client.get_job_logs(job.name).splitlines()
        said = [word for line in lines for word in (HOLDING, WAITING) if line.startswith(word)]
        return said[-1] if said else None

    def _known(self, name: str) -> Job:
        jobs = {job.name: job for job in self._submitted()}
        if name not in jobs:
            listed = f": choose from {', '.join(jobs)}" if jobs else ": no job was submitted"
            raise SpecError(f"{self.address}: unknown job {name!r}{listed}")
        return jobs[name]

    def _start(self, name: str, command: str, request: dict[str, Any], metadata: dict[str, str]) -> None:
        environment = {CODE: code_id(), REQUEST: json.dumps(request)}
        end = time.monotonic() + START_SECONDS
        with _source_folder() as folder:
            while True:
                try:
                    self._client.submit_job(
                        entrypoint=command,
                        submission_id=name,
                        runtime_env={"working_dir": str(folder), "env_vars": environment},
                        metadata=metadata,
                    )
                    return
                except RuntimeError as error:
                    # A new head node responds before it accepts jobs.
                    if NOT_YET not in str(error):
                        raise ConnectionError(f"{self.address}: {one_line(error)}") from None
                    if time.monotonic() > end:
                        raise ConnectionError(
                            f"{self.address}: the head node accepts no jobs: its dashboard agent does not respond; "
                            "another Ray there may use port 52365: run `ray stop`, then start the cluster again"
                        ) from None
                    time.sleep(1.0)


def in_turn(jobs: Sequence[Job], waiting: set[str]) -> list[Job]:
    """Jobs with their places in the queues of their roots, those that wait at the end.

    Args:
      jobs: oldest first.
      waiting: names of those that wait.
    """
    placed, places = [job for job in jobs if job.name not in waiting], Counter[str]()
    for job in sorted((job for job in jobs if job.name in waiting), key=lambda job: -job.priority):
        places[job.root] += 1
        placed.append(replace(job, waiting=places[job.root]))
    return placed


def submission_name(specs: Sequence[SweepSpec], root: str) -> str:
    """Name derived from specs and root, such as ``quickstart-1a2b3c4d``."""
    asked = json.dumps([root, *(spec.digest for spec in specs)])
    return f"{specs[0].name}-{hashlib.sha256(asked.encode()).hexdigest()[:8]}"


def root_on_head(root: str) -> str:
    """Make a relative root relative to the home folder of the head node."""
    return root if "://" in root or root.startswith(("/", "~")) else f"~/{root}"


@contextmanager
def _source_folder() -> Iterator[Path]:
    """A temporary folder with only the sources of this project, so that Ray uploads equal code once."""
    with tempfile.TemporaryDirectory() as folder:
        for package in PACKAGES:
            with resources.as_file(resources.files(package)) as source:
                shutil.copytree(
                    source, Path(folder) / package, ignore=shutil.ignore_patterns("__pycache__", "*.so")
                )
        yield Path(folder)
