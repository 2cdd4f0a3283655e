"""python -m tests.faults [--faults 200 | --seconds 3600 --every 30] [--seed 1]

Breaks sweeps until so many faults were done, or for so long. Prints faults by kind, rounds lost, and how memory grew.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path


def main() -> int:
    """Break, compare, report; exit code 1 when anything was lost."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--seconds", type=float, help="a soak: so long, in place of so many faults")
    parser.add_argument("--every", type=float, default=5.0, help="seconds between faults, on average")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=8, help="seeds of each of two variants in a sweep")
    parser.add_argument("--epochs", type=int, default=60)
    given = parser.parse_args()
    os.environ["RAY_AUTH_MODE"] = "disabled"
    from model.numerics import configure

    configure(platform="cpu", threads=1)
    from tests.faults.harness import Harness

    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        harness = Harness(Path(folder), given.seed, given.seeds, given.epochs)
        figures = harness.figures

        def done() -> bool:
            if given.seconds is not None:
                return time.monotonic() - began >= given.seconds
            return figures.faults.total() >= given.faults

        try:
            while not done():
                harness.round(lambda: harness.chance.uniform(0.2, 2 * given.every - 0.2), done)
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
        told = "none lived long enough to tell" if slope is None else f"{slope:+.1f} MiB an hour"
        print(f"memory of a {kind}: at most {figures.largest(kind):.0f} MiB, growth {told}")
    return 1 if figures.lost else 0


if __name__ == "__main__":
    sys.exit(main())
