"""python -m tests.faults [--faults 200 | --seconds 3600 --every 30] [--seed 1] [--local]

Inject faults into sweeps until a number of faults or a time is reached. Print faults by kind, lost rounds and memory.
With --local, kill processes of sweeps that start Ray themselves (`tests.faults.local`).
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path


def main() -> int:
    """Inject faults, compare rows and print the results. The exit code is 1 if a run is lost."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--seconds", type=float, help="run for this long instead of a number of faults")
    parser.add_argument("--every", type=float, default=5.0, help="mean seconds between faults")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=8, help="seeds per variant; a sweep has two variants")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--local", action="store_true", help="kill processes of a local Ray")
    arguments = parser.parse_args()
    if arguments.local:
        from tests.faults.local import soak

        with tempfile.TemporaryDirectory() as folder:
            return soak(
                Path(folder),
                arguments.faults,
                arguments.seed,
                arguments.every,
                arguments.seeds,
                arguments.epochs,
            )
    os.environ["RAY_AUTH_MODE"] = "disabled"
    from model.numerics import configure

    configure(platform="cpu", threads=1)
    from tests.faults.harness import Harness

    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        harness = Harness(Path(folder), arguments.seed, arguments.seeds, arguments.epochs)
        figures = harness.figures

        def done() -> bool:
            if arguments.seconds is not None:
                return time.monotonic() - began >= arguments.seconds
            return figures.faults.total() >= arguments.faults

        try:
            while not done():
                harness.round(lambda: harness.random.uniform(0.2, 2 * arguments.every - 0.2), done)
                print(
                    f"{figures.faults.total()} faults, {figures.lost} of {figures.rounds} rounds lost",
                    flush=True,
                )
        finally:
            harness.close()
    for name in harness.faults:
        print(f"{figures.faults[name]:5d}  {name}")
    print(
        f"{figures.faults.total()} faults in {figures.rounds} sweeps, {figures.starts} starts, "
        f"{figures.lost} sweeps lost, {time.monotonic() - began:.0f} s"
    )
    for kind in ("driver", "worker"):
        slope = figures.slope(kind)
        growth = (
            "not measured, no process lived long enough" if slope is None else f"{slope:+.1f} MiB per hour"
        )
        print(f"{kind} memory: at most {figures.largest(kind):.0f} MiB, growth {growth}")
    return 1 if figures.lost else 0


if __name__ == "__main__":
    sys.exit(main())
