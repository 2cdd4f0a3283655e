"""Simulated hosts: replacements for ssh and rsync that run each command locally, with one home folder per address.

`ray up`, the head node, the autoscaler, the workers and the shared token are real. The cluster file differs from the
shipped one only in addresses and ports. No packages are installed: hosts use the environment that runs the tests.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import yaml

PROJECT = Path(__file__).parents[3]
HEAD, WORKER = "127.0.0.2", "127.0.0.3"  # Ray treats 127.0.0.1 as a request for a reachable address
MARK = "LECUN1989_TEST_HOST"  # environment variable of every process of a host: its home folder

SSH = """#!{python}
# ssh [options] user@address command: run the command in the home folder of the address.
import os, sys
arguments = sys.argv[1:]
while arguments and arguments[0].startswith("-"):
    arguments = arguments[2 if arguments[0] in ("-o", "-i", "-L", "-p") else 1:]
target, *command = arguments
home = os.path.join({folder!r}, "hosts", target.rpartition("@")[2])
os.makedirs(os.path.join(home, "sweep-venv"), exist_ok=True)
if not os.path.lexists(os.path.join(home, "sweep-venv", "bin")):
    os.symlink({folder!r} + "/bin", os.path.join(home, "sweep-venv", "bin"))
kept = {{k: os.environ[k] for k in ("LANG", "RAY_TMPDIR", "RAY_USAGE_STATS_ENABLED") if k in os.environ}}
environment = kept | {{"HOME": home, {mark!r}: home, "PATH": {folder!r} + "/bin:/usr/local/bin:/usr/bin:/bin"}}
os.chdir(home)
os.execve("/bin/bash", ["bash", "-c", " ".join(command)], environment)
"""

# Ray calls `rsync [options] -e "ssh …" [filters] source target`; one of them is user@address:path.
RSYNC = """#!{python}
import os, shutil, sys
words = sys.argv[1:]
skipped = [words[i + 1] for i, word in enumerate(words) if word == "--exclude"]
source, target = words[-2:]
def place(name):
    host, colon, path = name.partition(":")
    if not colon or "@" not in host:
        return name
    home = os.path.join({folder!r}, "hosts", host.rpartition("@")[2])
    return os.path.join(home, path[2:] if path.startswith("~/") else path.lstrip("/"))
inside = source.endswith("/")
source, target = place(source), place(target)
if os.path.isdir(source):
    target = target if inside else os.path.join(target, os.path.basename(source))
    shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*skipped))
else:
    os.makedirs(os.path.dirname(target), exist_ok=True)
    shutil.copy(source, os.path.join(target, os.path.basename(source)) if os.path.isdir(target) else target)
"""

# `ray stop` ends every Ray process of the machine; a simulated host ends only its own.
RAY = """#!/bin/bash
if [ "$1" = stop ]; then cd {project}; exec {python} -m tests.sweep.cluster.hosts "$HOME"; fi
exec {python} {bin}/ray "$@"
"""

# The native engine is the only installed file that is not a package.
UV = """#!/bin/bash
cp {project}/model/engines/lanes/kernel.so ~/sweep/model/engines/lanes/ || true
"""

PYTHON = """#!/bin/bash
exec {python} "$@"
"""


def write_programs(folder: Path) -> Path:
    """Write `ssh`, `rsync`, `ray`, `python` and `uv` to a folder, which must come first on PATH."""
    programs = {"ssh": SSH, "rsync": RSYNC, "ray": RAY, "python": PYTHON, "uv": UV}
    (folder / "bin").mkdir()
    python = Path(sys.executable)
    fields = {"python": python, "bin": python.parent, "folder": str(folder), "project": PROJECT, "mark": MARK}
    for name, text in programs.items():
        (folder / "bin" / name).write_text(text.format(**fields))
        (folder / "bin" / name).chmod(0o755)
    return folder / "bin"


def local_cluster_file(folder: Path, port: int, dashboard: int) -> Path:
    """Write docs/cluster-local.yaml with local addresses and free ports."""
    text = (PROJECT / "docs/cluster-local.yaml").read_text()
    config = yaml.safe_load(text.replace("6379", str(port)))
    config["cluster_name"] = f"test-{port}"
    config["provider"] |= {"head_ip": HEAD, "worker_ips": [WORKER]}
    config["auth"] = {"ssh_user": "tester"}
    token = folder / "token"
    config["file_mounts"] = {"~/.ray/auth_token": str(token), "~/sweep": str(PROJECT)}
    config["rsync_exclude"] += ["tests", "docs", "benchmarks"]
    starts = {HEAD: config["head_start_ray_commands"], WORKER: config["worker_start_ray_commands"]}
    for address, commands in starts.items():
        options = f"--node-ip-address={address} --num-cpus=1 --dashboard-port={dashboard}"
        # The agent port that Ray selects is fixed, so hosts on one machine need different ports.
        options += f" --dashboard-agent-listen-port={free_port()}"
        commands[-1] = commands[-1].replace("ray start", f"ray start {options}")
    path = folder / "cluster.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def free_port() -> int:
    """Return an unused port."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def end_host(home: str) -> None:
    """Kill every process of a host except the calling process and its parents."""
    spared = {os.getpid(), *(p.pid for p in psutil.Process().parents())}
    while found := [p for p in psutil.pids() if p not in spared and _belongs_to(home, p)]:
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)


def _belongs_to(home: str, pid: int) -> bool:
    """Ray overwrites the start of the environment with process titles, so search the raw bytes."""
    try:
        process = Path(f"/proc/{pid}")
        if "\nState:\tZ" in (process / "status").read_text():
            return False
        return f"{MARK}={home}\0".encode() in (process / "environ").read_bytes()
    except OSError:
        return False


def run(
    *command: str, environment: dict[str, str], seconds: float = 120.0
) -> subprocess.CompletedProcess[str]:
    """Run a command and capture its output."""
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=seconds, cwd=PROJECT
    )


if __name__ == "__main__":
    end_host(sys.argv[1])
