"""Estimates of the TPU compiler for the engines `vmap` and `pallas`. No TPU is needed.

    python -m pip install -e '.[tpu]'
    python -m benchmarks.tpu [--engine pallas] [--variant base,dropout] [--chip v5e] [--replicas 1024]

compiles training and evaluation for each chip and prints, in Markdown: kernels, cycles per update (or example) and
replica, the share of the vector ALUs' slots that are filled, VMEM and HBM in use, the part of HBM for intermediate
results, the time to compile, and the time that 1,000 seeds × five variants would take on a host of eight chips.
Nothing is measured: the cycles of `pallas` are the bundles of the final schedule, without stalls; those of `vmap` are
the compiler's own estimates. Both exclude the work around the programs: the change of layout, transfers to and from
the host, and start-up.

    python -m benchmarks.tpu --measure

on a machine with a TPU measures both engines there.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec

from benchmarks.lowering import PARTS
from benchmarks.measure import measure
from benchmarks.options import names
from benchmarks.tpu.chips import CHIPS
from benchmarks.tpu.program import DUMP, Figures
from benchmarks.tpu.sweep_time import describe
from model.variants import VARIANTS

ENGINES = ("vmap", "pallas")
SEEDS = 1000
HEAD = """\
| chip | engine | variant | part | kernels | cycles/replica | VALU filled | VMEM | HBM | temporary | compile |
|---|---|---|---|---|---|---|---|---|---|---|"""


def figures(engine: str, variant: str, chip: str, part: str, replicas: int) -> Figures:
    """Compile in another process.

    Raises:
      SystemExit: the compiler failed; the message has the last line of its output.
    """
    with tempfile.TemporaryDirectory() as dump:
        flags = (
            f"--xla_jf_dump_to={dump} --xla_jf_dump_llo_text=true --xla_jf_dump_llo_pass_label_regex=final.*"
        )
        environment = {"TPU_SKIP_MDS_QUERY": "1", "ALLOW_MULTIPLE_LIBTPU_LOAD": "1", "JAX_PLATFORMS": "cpu"}
        command = [sys.executable, "-m", "benchmarks.tpu.program", engine, variant, chip, part, str(replicas)]
        done = subprocess.run(
            command,
            env=os.environ | environment | {"LIBTPU_INIT_ARGS": flags, DUMP: dump},
            capture_output=True,
            text=True,
        )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise SystemExit(f"{engine}, {variant}, {chip}, {part}: the compiler failed: {reason}")
    return Figures(**json.loads(done.stdout.splitlines()[-1]))


def row(f: Figures) -> str:
    """A line of the table."""
    valu = "" if f.valu is None else f"{f.valu:.0%}"
    vmem = "" if f.vmem is None else f"{f.vmem / 2**20:.0f} MiB"
    return (
        f"| {f.chip} | {f.engine} | {f.variant} | {f.part} | {f.kernels} | {f.per_replica:,.1f} | {valu} | {vmem} | "
        f"{f.hbm / 2**20:,.0f} MiB | {f.temporaries / 2**20:,.0f} MiB | {f.seconds:.1f} s |"
    )


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""

    parser = argparse.ArgumentParser(
        "python -m benchmarks.tpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engine", type=names(ENGINES), default=list(ENGINES))
    parser.add_argument("--variant", type=names(list(VARIANTS)), default=list(VARIANTS))
    parser.add_argument("--chip", type=names(list(CHIPS)), default=list(CHIPS))
    parser.add_argument("--replicas", type=int, default=1024)
    parser.add_argument("--measure", action="store_true", help="measure on this machine's TPU instead")
    return parser.parse_args(arguments)


def main() -> None:
    """Compile, or measure, and print."""
    given = options()
    if given.measure:
        measure("tpu", given.engine, given.variant, given.replicas)
        return
    if find_spec("libtpu") is None:
        print("skipped: libtpu is not installed (python -m pip install -e '.[tpu]')", file=sys.stderr)
        return
    print(f"Compiler estimates for {given.replicas:,} replicas; nothing is measured on a device.\n")
    print(HEAD)
    found: dict[tuple[str, str], dict[tuple[str, str], Figures]] = {}
    for chip in given.chip:
        for engine in given.engine:
            for variant in given.variant:
                for part in PARTS:
                    f = figures(engine, variant, chip, part, given.replicas)
                    found.setdefault((engine, chip), {})[variant, part] = f
                    print(row(f), flush=True)
    for (engine, chip), of_variants in found.items():
        if len(of_variants) == len(PARTS) * len(VARIANTS):
            print(f"\n{describe(engine, chip, SEEDS, of_variants)}")


if __name__ == "__main__":
    main()
