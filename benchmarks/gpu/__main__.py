"""What XLA launches on an NVIDIA H100 for the engine `vmap`. No GPU is needed.

    python -m pip install -e '.[cuda]'
    python -m benchmarks.gpu [--variant base,dropout] [--replicas 2048]

compiles training and evaluation for an H100 and prints, in Markdown, for one update or one step of evaluation: the
operations (kernels and copies), the launches, and the cuDNN calls. XLA records consecutive operations in a command
buffer, a CUDA graph, which is one launch. Nothing is measured.

    python -m benchmarks.gpu --measure

on a machine with a GPU measures `vmap` there.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from benchmarks.gpu import thunks
from benchmarks.lowering import PARTS, lower_vmap
from benchmarks.measure import measure
from benchmarks.options import names
from model.engines import WIDEST_BLOCK
from model.variants import VARIANTS

TARGET = Path(__file__).with_name("h100.txtpb")
HEAD = """\
| variant | part | operations | launches | cuDNN calls | temporary memory | compile |
|---|---|---|---|---|---|---|"""


@dataclass(frozen=True)
class Figures:
    """One compiled program."""

    variant: str
    part: str  # "training" or "evaluation"
    operations: int  # kernels and copies of an update, or of a step of evaluation
    launches: int  # of them by the host; a command buffer is one
    cudnn: int  # calls in the whole program
    temporaries: int  # bytes for intermediate results
    seconds: float  # to compile


def figures(variant: str, part: str, replicas: int) -> Figures:
    """Compile a program. Imports JAX."""
    from model.numerics import configure

    configure("cpu")
    from jax.experimental import topologies

    topology = topologies.get_topology_desc(
        platform="cuda", topology="1x1x1", target_config=TARGET.read_text()
    )
    lowered = lower_vmap(variant, part, replicas, topology.devices[0])
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        compiled = lowered.compile(compiler_options={"xla_dump_to": folder})
        seconds = time.perf_counter() - began
        (dump,) = Path(folder).glob("*jit__*.thunk_sequence_after_thunk_passes.txt")
        loops = thunks.read(dump.read_text()).loops()
    step = max(loops, key=lambda loop: len(loop.operations()))
    cudnn = compiled.as_text().count("__cudnn$")
    temporaries = compiled.memory_analysis().temp_size_in_bytes
    return Figures(variant, part, len(step.operations()), len(step.inner), cudnn, temporaries, seconds)


def row(f: Figures) -> str:
    """A line of the table."""
    return (
        f"| `{f.variant}` | {f.part} | {f.operations} | {f.launches} | {f.cudnn} | "
        f"{f.temporaries / 2**20:,.0f} MiB | {f.seconds:.1f} s |"
    )


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--variant", type=names(list(VARIANTS)), default=list(VARIANTS))
    parser.add_argument("--replicas", type=int, default=WIDEST_BLOCK)
    parser.add_argument("--measure", action="store_true", help="measure on this machine's GPU instead")
    return parser.parse_args(arguments)


def main() -> None:
    """Compile, or measure, and print."""
    given = options()
    if given.measure:
        measure("gpu", ["vmap"], given.variant, given.replicas)
        return
    if find_spec("jax_cuda12_plugin") is None:
        print(
            "skipped: jax[cuda12] is not installed (python -m pip install -e '.[cuda]')",
            file=sys.stderr,
        )
        return
    print(f"Programs of `vmap` for an H100, {given.replicas:,} replicas; nothing is measured on a device.\n")
    print(HEAD)
    for variant in given.variant:
        for part in PARTS:
            print(row(figures(variant, part, given.replicas)), flush=True)


if __name__ == "__main__":
    main()
