"""How the native library is built: by any compiler, clean under sanitizers, and not at all without harm."""

import os
import shutil
import subprocess
import sys
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from model.engines import lanes
from model.engines.lanes import build, library
from model.training import ReplicaState
from model.variants import variant
from tests.model.replicas import fresh

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
COMPILERS = ["g++", "clang++"]
# Without the checks of pointers that go before an access: a bad access is told all the same, by the sanitizer of
# addresses or by a crash, and compiling takes a third of the time.
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize=null,alignment,object-size,pointer-overflow"]


@pytest.mark.parametrize("name", COMPILERS)
def test_every_compiler_builds_the_same_mathematics(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, digits: Any
) -> None:
    if not shutil.which(name):
        pytest.skip(f"{name} is not installed")
    if lanes.unsupported():
        pytest.skip(f"nothing to compare with: {lanes.unsupported()}")
    monkeypatch.setenv("CXX", name)
    build.build(tmp_path / "kernel.so", ["-Werror"])
    other = library.load(tmp_path / "kernel.so")
    for kernel in range(len(library.kernels())):
        monkeypatch.setattr(library, "chosen_kernel", lambda kernel=kernel: kernel)
        installed = [*map(partial(after_updates, digits), ["base", "softmax", "dropout"])]
        with monkeypatch.context() as patch:
            patch.setattr(library, "load", lambda: other)
            theirs = [*map(partial(after_updates, digits), ["base", "softmax", "dropout"])]
        for a, b in zip(jax.tree.leaves(theirs), jax.tree.leaves(installed), strict=True):
            assert np.linalg.norm(a - b) <= 1e-5 * np.linalg.norm(b)


def after_updates(digits: Any, name: str) -> Any:
    """Weights after twenty updates."""
    images, labels = digits
    v = variant(name)
    state: ReplicaState = lanes.train_epoch(v, fresh(v, range(5)), images[:20], labels[:20], 1)
    return state.params


def test_the_kernel_is_clean_under_sanitizers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses and undefined behaviour; and no result may hang on what memory held before."""
    monkeypatch.setenv("CXX", sanitizing_compiler(tmp_path))
    program = tmp_path / "exercise"
    flags = ["-O1", *SANITIZE, "-fno-sanitize-recover=all", "-fPIE"]
    build.build(program, flags, sources=[HERE / "exercise.cc"])
    sums = []
    for byte in (0, 255):  # all bits set are NaN
        memory = f"malloc_fill_byte={byte}:max_malloc_fill_size={2**30}:quarantine_size_mb=8"
        done = subprocess.run(
            [program], capture_output=True, text=True, env=os.environ | {"ASAN_OPTIONS": memory}
        )
        assert done.returncode == 0, done.stderr
        sums.append(done.stdout)
    assert sums[0] == sums[1]
    assert sums[0]


def sanitizing_compiler(folder: Path) -> str:
    """The first compiler that comes with what a sanitized program needs to run."""
    (folder / "nothing.cc").write_text("int main() {}\n")
    for name in COMPILERS[::-1]:  # clang++ is twice as fast at this
        command = [name, *SANITIZE, str(folder / "nothing.cc"), "-o", str(folder / "nothing")]
        if shutil.which(name) and not subprocess.run(command, capture_output=True).returncode:
            return name
    pytest.skip("no compiler here has the libraries of its sanitizers")


# --- without a compiler --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs Python in a copy of this package whose installation found no compiler."""
    pytest.importorskip("setuptools", reason="setuptools, which installs packages, is not at hand")
    copy = tmp_path_factory.mktemp("bare")
    for part in ("data", "model", "sweep"):
        shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    shutil.copy(ROOT / "setup.py", copy)

    def python(*arguments: str) -> subprocess.CompletedProcess[str]:
        nowhere = os.environ | {"CXX": "/nowhere/c++", "PYTHONPATH": str(copy)}
        return subprocess.run(
            [sys.executable, *arguments], cwd=copy, capture_output=True, text=True, env=nowhere
        )

    done = python("setup.py", "build_ext", "--inplace")
    assert done.returncode == 0, done.stderr
    assert "the lanes engine will be missing: CXX = '/nowhere/c++' is not a program here" in done.stderr
    return python


def test_without_a_compiler_vmap_serves(bare: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    program = (
        "from model.engines import choose; from model.variants import variant; "
        "print(*choose('auto', variant('base'), 'cpu'), sep='\\n')"
    )
    name, remark = bare("-c", program).stdout.splitlines()
    assert name == "vmap"
    assert "'lanes' is not available: the native library was not built" in remark
    assert "install g++ or clang++" in remark


def test_without_a_compiler_info_says_why(bare: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = bare("-m", "sweep", "info")
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if line.startswith("engine lanes"))
    assert "missing: the native library was not built: install g++ or clang++" in line


def test_a_compiler_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CXX", "/nowhere/c++ -O2")
    with pytest.raises(build.BuildError, match="CXX = '/nowhere/c\\+\\+ -O2' is not a program here"):
        build.build(tmp_path / "kernel.so")
    monkeypatch.delenv("CXX")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(build.BuildError, match="there is no C\\+\\+ compiler: install"):
        build.build(tmp_path / "kernel.so")
    assert not list(tmp_path.iterdir())


def test_a_structure_keeps_the_arrays_whose_addresses_it_holds():
    array = np.ones((1, 9760), np.float32)
    there = weakref.ref(array)
    replicas = library.Replicas(parameters=array, count=1)
    del array
    assert there() is not None
    assert there().ctypes.data == replicas.parameters
