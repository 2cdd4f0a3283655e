"""Sweeps as Ray jobs: only code and the spec travel, the driver runs on the head, the store there says what is done.

A submission is named after what it asks for and where it goes. While it is under way, asking again changes nothing;
afterwards it is a new job of the same name that trains what is missing, which may be nothing.
"""

import asyncio
import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from sweep.errors import SpecError
from sweep.provenance import CODE, code_id
from sweep.spec.spec import SweepSpec

REQUEST = "LECUN1989_REQUEST"  # environment of a job: what it is to do, as JSON
PACKAGES = ("data", "model", "sweep")
DEFAULT_ADDRESS = "http://127.0.0.1:8265"
ENTRYPOINT = "python -m sweep.cli.job"
STOP_SECONDS = 30.0
START_SECONDS = 120.0
NOT_YET = "No available agent"
NEWS_OF_RAY = ("INFO job_manager.py", "Running entrypoint for job")  # in what a job says
_AGAIN = "~"  # between a submission's name and how often it was made


@dataclass(frozen=True)
class Job:
    """A submission, as the cluster knows it."""

    name: str
    status: str  # PENDING, RUNNING, STOPPED, SUCCEEDED, FAILED
    root: str
    asks: str  # for people: what it trains
    began: float | None  # Unix time in seconds
    ended: float | None

    @property
    def under_way(self) -> bool:
        """Waits or runs."""
        return self.status in ("PENDING", "RUNNING")


class Cluster:
    """A cluster's job server.

    Raises:
      SpecError: the extra `cluster` is not installed.
      ConnectionError: nothing answers at the address, or it wants another token.
    """

    def __init__(self, address: str | None) -> None:
        self.address = address or os.environ.get("RAY_API_SERVER_ADDRESS") or DEFAULT_ADDRESS
        os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        try:
            from ray.job_submission import JobSubmissionClient

            self._client = JobSubmissionClient(self.address)
            for name in ("ray", "ray.dashboard.modules.dashboard_sdk", "ray.dashboard.modules.job.sdk"):
                logging.getLogger(name).setLevel(logging.WARNING)  # its news of uploads is none of ours
        except (ImportError, RuntimeError) as error:
            if "install" in str(error) or isinstance(error, ImportError):
                raise SpecError("clusters need more: pip install 'lecun1989-sweep[cluster]'") from None
            raise ConnectionError(f"{self.address}: {_first_line(error)}") from None
        except Exception as error:  # ConnectionError, requests' and Ray's own
            raise ConnectionError(
                f"{self.address}: no cluster answers ({_first_line(error)}); `ray dashboard cluster.yaml` "
                "opens the way to one"
            ) from None

    def jobs(self) -> list[Job]:
        """Every submission of a sweep, the oldest first."""
        found = []
        for details in self._client.list_jobs():
            request = (details.metadata or {}).get("lecun1989")
            if request is not None and details.submission_id:
                told = json.loads(request)
                seconds = [t / 1000 if t else None for t in (details.start_time, details.end_time)]
                found.append(
                    Job(details.submission_id, details.status.value, told["root"], told["asks"], *seconds)
                )
        return sorted(found, key=lambda job: job.began or float("inf"))

    def submit(self, specs: Sequence[SweepSpec], root: str, options: dict[str, Any]) -> tuple[str, bool]:
        """Have specs trained one after the other; nothing happens when the same is under way.

        Args:
          specs: what is wanted.
          root: where results go, as the head sees it.
          options: of `sweep.settings.Settings`.

        Returns:
          The job's name, and whether it is new.
        """
        name = submission_name(specs, root)
        earlier = [job for job in self.jobs() if job.name.partition(_AGAIN)[0] == name]
        for job in earlier:
            if job.under_way:
                return job.name, False
        if earlier:
            name = f"{name}{_AGAIN}{len(earlier) + 1}"
        asks = "; ".join(f"{'+'.join(s.variants)} × seeds {s.seeds}" for s in specs)
        request = {"specs": [s.to_stored() for s in specs], "root": root, "options": options}
        self._start(name, ENTRYPOINT, request, {"lecun1989": json.dumps({"root": root, "asks": asks})})
        return name, True

    def ask(self, command: str) -> str:
        """What a reading command of `sweep` says on the head; its job is forgotten afterwards."""
        name = f"ask-{time.time_ns()}"
        self._start(name, f"python -m sweep {command}", {}, {})
        while not self._client.get_job_status(name).is_terminal():
            time.sleep(0.2)
        told = self._client.get_job_logs(name)
        self._client.delete_job(name)
        lines = told.splitlines()
        return "\n".join(line for line in lines if not any(news in line for news in NEWS_OF_RAY))

    def logs(self, name: str) -> str:
        """All that a job said so far."""
        self._known(name)
        return self._client.get_job_logs(name)

    def follow(self, name: str) -> Iterator[str]:
        """What a job says, until it ends."""
        self._known(name)
        stream = self._client.tail_job_logs(name)

        async def following() -> str | None:
            return await anext(stream, None)

        with asyncio.Runner() as runner:
            while (text := runner.run(following())) is not None:
                yield text

    def stop(self, name: str) -> Job:
        """End a job as Ctrl-C would: what is finished and the last checkpoints are kept."""
        if self._known(name).under_way:
            self._client.stop_job(name)
        end = time.monotonic() + STOP_SECONDS
        while (job := self._known(name)).under_way and time.monotonic() < end:
            time.sleep(0.2)
        return job

    def _known(self, name: str) -> Job:
        jobs = {job.name: job for job in self.jobs()}
        if name not in jobs:
            listed = f": choose from {', '.join(jobs)}" if jobs else ": nothing was submitted there"
            raise SpecError(f"{self.address} knows no job {name!r}{listed}")
        return jobs[name]

    def _start(self, name: str, command: str, request: dict[str, Any], metadata: dict[str, str]) -> None:
        environment = {CODE: code_id(), REQUEST: json.dumps(request)}
        end = time.monotonic() + START_SECONDS
        with _code_alone() as folder:
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
                    # A head that came up a moment ago takes jobs a little later than it answers.
                    if NOT_YET not in str(error):
                        raise ConnectionError(f"{self.address}: {_first_line(error)}") from None
                    if time.monotonic() > end:
                        raise ConnectionError(
                            f"{self.address}: the head takes no jobs, its dashboard agent does not answer; another "
                            "Ray on that machine may have its port (52365): `ray stop`, then bring it up again"
                        ) from None
                    time.sleep(1.0)


def submission_name(specs: Sequence[SweepSpec], root: str) -> str:
    """The same for the same specs into the same root: ``quickstart-1a2b3c4d``."""
    asked = json.dumps([root, *(spec.digest for spec in specs)])
    return f"{specs[0].name}-{hashlib.sha256(asked.encode()).hexdigest()[:8]}"


def root_on_head(root: str) -> str:
    """A relative root lies in the home folder of the head."""
    return root if "://" in root or root.startswith(("/", "~")) else f"~/{root}"


@contextmanager
def _code_alone() -> Iterator[Path]:
    """A folder with this project's sources and nothing else: equal code has equal bytes and is sent once."""
    with tempfile.TemporaryDirectory() as folder:
        for package in PACKAGES:
            with resources.as_file(resources.files(package)) as source:
                shutil.copytree(
                    source, Path(folder) / package, ignore=shutil.ignore_patterns("__pycache__", "*.so")
                )
        yield Path(folder)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
