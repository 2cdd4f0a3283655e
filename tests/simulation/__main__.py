"""python -m tests.simulation [--histories 10000] [--seed 0]"""

import argparse
import sys
import time
import traceback

from model.numerics import configure


def main() -> int:
    """Run histories; the seed that fails is printed with what went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0, help="of the first history; the next has the next")
    given = parser.parse_args()
    configure(platform="cpu", threads=1)
    from tests.simulation.history import History

    began, faults, lost = time.monotonic(), 0, []
    for seed in range(given.seed, given.seed + given.histories):
        try:
            faults += History(seed).live().faults
        except Exception:
            traceback.print_exc()
            print(f"history {seed} failed: python -m tests.simulation --histories 1 --seed {seed}")
            lost.append(seed)
            if len(lost) == 10:
                break
    seconds = time.monotonic() - began
    print(f"{given.histories:,} histories, {faults:,} faults, {len(lost)} histories lost, {seconds:.0f} s")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
