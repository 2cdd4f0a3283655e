"""Hosts without a network: stand-ins for ssh and rsync that run each command here, in a home folder for each address.

`ray up` is real, and so are Ray's head, its autoscaler, its workers and the token that they share. Of the cluster
file, only the addresses and ports are others, and the installation of packages is left out: a host's environment is
the one that runs the tests.
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

HERE = Path(__file__).parents[3]
HEAD, WORKER = "127.0.0.2", "127.0.0.3"  # 127.0.0.1 would be taken for a wish to be reachable
MARK = "LECUN1989_TEST_HOST"  # environment of every process of a host: its home folder

SSH = """#!{python}
# ssh [options] user@address command: the command, in the address' home.
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

# Ray asks for `rsync [options] -e "ssh …" [filters] source target`; one of the two is user@address:path.
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

# `ray stop` ends every Ray of a machine; a host of ours ends its own.
RAY = """#!/bin/bash
if [ "$1" = stop ]; then cd {here}; exec {python} -m tests.sweep.cluster.hosts "$HOME"; fi
exec {python} {bin}/ray "$@"
"""

# What an installation would leave behind besides packages: the native engine.
UV = """#!/bin/bash
cp {here}/model/engines/lanes/kernel.so ~/sweep/model/engines/lanes/ || true
"""

PYTHON = """#!/bin/bash
exec {python} "$@"
"""


def write_stand_ins(folder: Path) -> Path:
    """Programs `ssh`, `rsync`, `ray` and `uv` in a folder to be put first on PATH."""
    programs = {"ssh": SSH, "rsync": RSYNC, "ray": RAY, "python": PYTHON, "uv": UV}
    (folder / "bin").mkdir()
    python = Path(sys.executable)
    fields = {"python": python, "bin": python.parent, "folder": str(folder), "here": HERE, "mark": MARK}
    for name, text in programs.items():
        (folder / "bin" / name).write_text(text.format(**fields))
        (folder / "bin" / name).chmod(0o755)
    return folder / "bin"


def own_machines(folder: Path, port: int, dashboard: int) -> Path:
    """The shipped docs/cluster-local.yaml for addresses of this machine, with its own ports."""
    text = (HERE / "docs/cluster-local.yaml").read_text()
    config = yaml.safe_load(text.replace("6379", str(port)))
    config["cluster_name"] = f"test-{port}"
    config["provider"] |= {"head_ip": HEAD, "worker_ips": [WORKER]}
    config["auth"] = {"ssh_user": "tester"}
    token = folder / "token"
    config["file_mounts"] = {"~/.ray/auth_token": str(token), "~/sweep": str(HERE)}
    config["rsync_exclude"] += ["tests", "docs", "benchmarks"]
    starts = {HEAD: config["head_start_ray_commands"], WORKER: config["worker_start_ray_commands"]}
    for address, commands in starts.items():
        own = f"--node-ip-address={address} --num-cpus=1 --dashboard-port={dashboard}"
        # The agent's port that Ray chooses is one number, which only one host of a machine can have.
        own += f" --dashboard-agent-listen-port={free_port()}"
        commands[-1] = commands[-1].replace("ray start", f"ray start {own}")
    path = folder / "cluster.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def end_host(home: str) -> None:
    """End every process of a host but the caller's own."""
    here = {os.getpid(), *(p.pid for p in psutil.Process().parents())}
    while found := [p for p in psutil.pids() if p not in here and _lives_on(home, p)]:
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)


def _lives_on(home: str, pid: int) -> bool:
    """Ray writes its processes' titles over the beginning of their environment, so it is read as it stands."""
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
    """A command to its end, its output captured."""
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=seconds, cwd=HERE)


if __name__ == "__main__":
    end_host(sys.argv[1])
