"""Specs and roots are data: nothing in them runs, leaves the root or fills the memory."""

import ipaddress
import json
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from sweep.errors import SpecError, StoreError
from sweep.executors.connection import connect
from sweep.spec.read import read_spec
from sweep.spec.spec import parse
from sweep.store.records import recorded_sweeps
from sweep.store.store import Store
from tests.sweep.store.test_check import VERSION_1

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 9)}]\n"
    for before, name in zip("abcdefghijk", "bcdefghijkl", strict=True)
)
MANY = [round(0.005 * i, 3) for i in range(1, 101)]
LARGE = {
    "10^12 seeds": "seeds: 0:1000000000000",
    "4 · 10^9 seeds": "seeds: 0:4000000000",
    "10^8 cells": f"set: {{learning_rate: {MANY}, dropout: {MANY}, final_fraction: {MANY}, weight_decay: {MANY}}}",
    "a billion laughs as seeds": LAUGHS + "seeds: *l",
    "a billion laughs as variants": LAUGHS + "variants: *l",
    "an object": "seeds: !!python/object/apply:os.system ['true']",
}


@pytest.mark.parametrize("text", LARGE.values(), ids=LARGE)
def test_a_spec_that_asks_for_too_much_is_refused_in_little_memory_and_time(tmp_path, text):
    (tmp_path / "spec.yaml").write_text(text)

    run = subprocess.run(
        ["sh", "-c", f"ulimit -v 2097152; ulimit -t 20; exec {sys.executable} -m sweep run spec.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2, run.stderr[-2000:]
    assert len(run.stderr.strip().splitlines()) == 1
    assert len(run.stderr) < 500
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("name", ["../up", "/etc/passwd", "a/b", "..", ".hidden", "a\nb", "", "x" * 65])
def test_names_that_leave_the_root_are_refused(name):
    with pytest.raises(SpecError):
        parse({"name": name})


@pytest.mark.parametrize("digest", ["../../../outside", "d" * 63 + "/", "", 3])
def test_a_recorded_sweep_cannot_name_folders_outside_the_root(tmp_path, digest):
    root = Path(shutil.copytree(VERSION_1, tmp_path / "results"))
    (path,) = (root / "sweeps").iterdir()
    record = json.loads(path.read_text())
    for entry in record["datasets"].values():
        entry["digest"] = digest
    path.write_text(json.dumps(record))
    with pytest.raises(StoreError, match="missing or invalid entries"):
        recorded_sweeps(Store(str(root)))


def test_file_names_of_checkpoints_are_not_trusted(tmp_path):
    root = Path(shutil.copytree(VERSION_1, tmp_path / "results"))
    folder = root / "checkpoints" / "base,epochs-3-29dce30b" / "mnist5k-dddddddd"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("seeds-5-2-00000000", f"seeds-0-{10**30}-00000000", "seeds-4-9999999999-00000000"):
        (folder / f"{name}.npz").write_bytes(b"")
    from sweep.driver.driver import missing

    spec = read_spec(None, variants="base", seeds="0:6", set={"epochs": "3"})
    ((_, datasets),) = recorded_sweeps(Store(str(root))).values()
    assert [shard.seeds for shard in missing(spec, Store(str(root)), datasets)] == [range(4, 6)]


def test_a_local_ray_listens_on_the_loopback_interface_only():
    with connect(None, 1):
        this = psutil.Process()
        sockets = [s for p in (this, *this.children(recursive=True)) for s in p.net_connections("inet")]
        listening = [ipaddress.ip_address(s.laddr.ip) for s in sockets if s.status == psutil.CONN_LISTEN]
        assert len(listening) > 3
        assert all((getattr(a, "ipv4_mapped", None) or a).is_loopback for a in listening), listening
