"""The build of the native library: with every compiler, with sanitizers, and without a compiler."""

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
# Without the pointer checks before each access: AddressSanitizer or a crash still detects a bad access, and
# compilation takes a third of the time.
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize=null,alignment,object-size,pointer-overflow"]


@pytest.mark.parametrize("name", COMPILERS)
def test_every_compiler_gives_the_same_results(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, digits: Any
) -> None:
    if not shutil.which(name):
        pytest.skip(f"{name} is not installed")
    if lanes.unsupported():
        pytest.skip(f"no reference: {lanes.unsupported()}")
    monkeypatch.setenv("CXX", name)
    build.build(tmp_path / "kernel.so", ["-Werror"])
    other = library.load(tmp_path / "kernel.so")
    for kernel in range(len(library.kernels())):
        monkeypatch.setattr(library, "chosen_kernel", lambda kernel=kernel: kernel)
        expected = [*map(partial(after_updates, digits), ["base", "softmax", "dropout"])]
        with monkeypatch.context() as patch:
            patch.setattr(library, "load", lambda: other)
            actual = [*map(partial(after_updates, digits), ["base", "softmax", "dropout"])]
        for a, b in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
            assert np.linalg.norm(a - b) <= 1e-5 * np.linalg.norm(b)


def after_updates(digits: Any, name: str) -> Any:
    """Parameters after 20 updates."""
    images, labels = digits
    v = variant(name)
    state: ReplicaState = lanes.train_epoch(v, fresh(v, range(5)), images[:20], labels[:20], 1)
    return state.params


def test_sanitizers_report_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """AddressSanitizer and UBSan report nothing, and results do not depend on uninitialised memory."""
    monkeypatch.setenv("CXX", sanitizing_compiler(tmp_path))
    program = tmp_path / "exercise"
    flags = ["-O1", *SANITIZE, "-fno-sanitize-recover=all", "-fPIE"]
    build.build(program, flags, sources=[HERE / "exercise.cc"])
    checksums = []
    for byte in (0, 255):  # a float with all bits set is NaN
        memory = f"malloc_fill_byte={byte}:max_malloc_fill_size={2**30}:quarantine_size_mb=8"
        done = subprocess.run(
            [program], capture_output=True, text=True, env=os.environ | {"ASAN_OPTIONS": memory}
        )
        assert done.returncode == 0, done.stderr
        checksums.append(done.stdout)
    assert checksums[0] == checksums[1]
    assert checksums[0]


def sanitizing_compiler(folder: Path) -> str:
    """The first compiler whose sanitizer runtime is installed."""
    (folder / "nothing.cc").write_text("int main() {}\n")
    for name in COMPILERS[::-1]:  # clang++ is twice as fast at this
        command = [name, *SANITIZE, str(folder / "nothing.cc"), "-o", str(folder / "nothing")]
        if shutil.which(name) and not subprocess.run(command, capture_output=True).returncode:
            return name
    pytest.skip("no installed compiler has a sanitizer runtime")


# --- without a compiler --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs Python in a copy of this package that was installed without a compiler."""
    pytest.importorskip("setuptools", reason="setuptools is not installed")
    copy = tmp_path_factory.mktemp("bare")
    for part in ("data", "model", "sweep"):
        shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    shutil.copy(ROOT / "setup.py", copy)

    def python(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"CXX": "/nowhere/c++", "PYTHONPATH": str(copy)}
        return subprocess.run(
            [sys.executable, *arguments], cwd=copy, capture_output=True, text=True, env=environment
        )

    done = python("setup.py", "build_ext", "--inplace")
    assert done.returncode == 0, done.stderr
    assert "the lanes engine will be missing: CXX = '/nowhere/c++' is not an installed program" in done.stderr
    return python


def test_without_a_compiler_vmap_is_chosen(bare: Callable[..., subprocess.CompletedProcess[str]]) -> None:
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
    assert "not available: the native library was not built: install g++ or clang++" in line


def test_a_missing_compiler_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CXX", "/nowhere/c++ -O2")
    with pytest.raises(build.BuildError, match="CXX = '/nowhere/c\\+\\+ -O2' is not an installed program"):
        build.build(tmp_path / "kernel.so")
    monkeypatch.delenv("CXX")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(build.BuildError, match="no C\\+\\+ compiler is installed: install"):
        build.build(tmp_path / "kernel.so")
    assert not list(tmp_path.iterdir())


def test_a_structure_keeps_references_to_its_arrays():
    array = np.ones((1, 9760), np.float32)
    reference = weakref.ref(array)
    replicas = library.Replicas(parameters=array, count=1)
    del array
    assert reference() is not None
    assert reference().ctypes.data == replicas.parameters
