"""Builds the native library with the installed C++ compiler.

Standard library only: `setup.py` runs this file.

Manual use, for example for a sanitizer build:
``python model/engines/lanes/build.py kernel.so -O1 -g -fsanitize=address,undefined``
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
LIBRARY = HERE / "kernel.so"

# Name, flags, replicas in a vector, vector registers. `dispatch.cc` tests the processor for exactly these flags.
X86_LEVELS = [
    ("sse2", [], 4, 16),
    ("avx2", ["-mavx2", "-mfma"], 8, 16),
    ("avx512", ["-mavx2", "-mfma", "-mavx512f", "-mavx512vl", "-mavx512dq", "-mavx512bw"], 16, 32),
]
OTHER_LEVELS: list[tuple[str, list[str], int, int]] = [
    ("generic", [], 4, 32)
]  # Arm NEON; elsewhere whatever the compiler generates for vectors

FLAGS = ["-std=c++17", "-fPIC", "-O3", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math", "-Wall"]

# gcc would carry loads from one iteration to the next, in registers that the sums need.
GCC_FLAGS = ["-fno-predictive-commoning"]


class BuildError(Exception):
    """The library cannot be built."""


def compiler() -> list[str]:
    """The command of the C++ compiler: ``$CXX``, or the first one installed.

    Raises:
      BuildError: there is no compiler.
    """
    if command := os.environ.get("CXX", "").split():
        if not shutil.which(command[0]):
            raise BuildError(
                f"CXX = {os.environ['CXX']!r} is not an installed program: install it, or unset CXX"
            )
        return command
    for name in ("c++", "g++", "clang++"):
        if shutil.which(name):
            return [name]
    raise BuildError("no C++ compiler is installed: install g++ or clang++, or name one in CXX")


def common_flags() -> list[str]:
    """Flags of every compilation, including those that only gcc knows."""
    version = subprocess.run([*compiler(), "--version"], capture_output=True, text=True)
    return FLAGS if "clang" in version.stdout else FLAGS + GCC_FLAGS


def sources_digest() -> str:
    """SHA-256 over the C++ sources. A library contains it, so that an outdated one is detected."""
    digest = hashlib.sha256()
    for file in sorted([*HERE.glob("*.cc"), *HERE.glob("*.h")]):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def build(library: Path, flags: Sequence[str] = (), sources: Sequence[Path] = ()) -> None:
    """Compile and link.

    Args:
      library: the file to write.
      flags: compiler flags, added after the common ones, which they override.
      sources: additional sources. With ``-fPIE`` in the flags and a ``main`` in them, the result is a program.

    Raises:
      BuildError: with the compiler's message.
    """
    common = common_flags()
    x86 = platform.machine().lower() in ("x86_64", "amd64")
    jobs: list[tuple[Path, list[str]]] = [
        (
            HERE / "epoch.cc",
            [*options, f"-DLEVEL={name}", f'-DNAME="{name}"', f"-DLANES={lanes}", f"-DREGISTERS={registers}"],
        )
        for name, options, lanes, registers in (X86_LEVELS if x86 else OTHER_LEVELS)
    ]
    jobs += [
        (HERE / "dispatch.cc", [f'-DSOURCES="{sources_digest()}"']),
        *((s, [f"-I{HERE}"]) for s in sources),
    ]
    link = ["-pthread"] if "-fPIE" in flags else ["-pthread", "-shared"]
    with tempfile.TemporaryDirectory() as folder:
        objects = [f"{folder}/{number}.o" for number in range(len(jobs))]
        compiles = [
            [*compiler(), *common, *options, *flags, "-c", str(source), "-o", output]
            for (source, options), output in zip(jobs, objects, strict=True)
        ]
        running = [subprocess.Popen(c, stderr=subprocess.PIPE, text=True) for c in compiles]
        for process in running:
            errors = process.communicate()[1]
            if process.returncode:
                raise BuildError(f"the C++ compiler failed:\n{errors}")
            sys.stderr.write(errors)
        done = subprocess.run(
            [*compiler(), *flags, *objects, *link, "-o", str(library)], stderr=subprocess.PIPE, text=True
        )
        if done.returncode:
            raise BuildError(f"the linker failed:\n{done.stderr}")


if __name__ == "__main__":
    build(Path(sys.argv[1]), sys.argv[2:])
