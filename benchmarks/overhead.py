"""Overhead of the service: a sweep on Ray with two workers, compared with half of the inline executor's time.

    python benchmarks/overhead.py [--seeds 0:64] [--epochs 4] [--dataset mnist]

Both train all epochs of `base` and `softmax` on mnist5k. The clock starts at the first message of a worker, which
excludes the start of Ray and loading the digits. Prints the ratio; 1.0 is ideal.
"""

import argparse
import tempfile
import time

from sweep.driver.session import run
from sweep.messages import Message, Observer
from sweep.settings import Executor, Settings
from sweep.spec.shard import Shard
from sweep.spec.spec import SweepSpec, parse
from sweep.store.store import Store


class Clock(Observer):
    """Records the time of the first message from a worker."""

    def __init__(self) -> None:
        self.first = 0.0

    def message(self, shard: Shard, message: Message) -> None:
        self.first = self.first or time.monotonic()


def seconds(spec: SweepSpec, executor: Executor, workers: int) -> float:
    """Wall time of a sweep in a new root, without start-up."""
    with tempfile.TemporaryDirectory() as folder:
        clock = Clock()
        run(spec, Store(f"{folder}/results"), Settings(executor=executor, workers=workers), clock)
        return time.monotonic() - clock.first


def main() -> None:
    """Measure both and print the ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", default="0:64")
    parser.add_argument("--epochs", type=int, default=23, help="with few epochs, worker start-up dominates")
    parser.add_argument("--dataset", default="mnist5k")
    parser.add_argument("--engine", default="auto")
    arguments = parser.parse_args()
    spec = parse(
        {
            "variants": "base,softmax",
            "seeds": arguments.seeds,
            "set": {"epochs": arguments.epochs},
            "engine": arguments.engine,
            "dataset": arguments.dataset,
        }
    )
    inline = seconds(spec, "inline", 1)
    ray = seconds(spec, "ray", 2)
    print(f"inline, one core   {inline:7.1f} s")
    print(f"Ray, two workers   {ray:7.1f} s")
    print(f"Ray / (inline / 2) {ray / (inline / 2):7.2f}")


if __name__ == "__main__":
    main()
