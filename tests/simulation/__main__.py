"""python -m tests.simulation [--histories 10000] [--seed 0]"""

import argparse
import sys
import time
import traceback

from model.numerics import configure


def main() -> int:
    """Run histories and print the seed and the error of each failure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=10_000)
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the first history; later histories count up"
    )
    arguments = parser.parse_args()
    configure(platform="cpu", threads=1)
    from tests.simulation.history import History

    began, faults, lost = time.monotonic(), 0, []
    for seed in range(arguments.seed, arguments.seed + arguments.histories):
        try:
            faults += History(seed).run().faults
        except Exception:
            traceback.print_exc()
            print(f"history {seed} failed: python -m tests.simulation --histories 1 --seed {seed}")
            lost.append(seed)
            if len(lost) == 10:
                break
    seconds = time.monotonic() - began
    print(
        f"{arguments.histories:,} histories, {faults:,} faults, {len(lost)} histories lost, {seconds:.0f} s"
    )
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
