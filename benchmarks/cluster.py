"""Speed-up of a second node: a sweep on a Ray cluster with one and with two worker nodes of one core each.

    python -m benchmarks.cluster [--seeds 0:64] [--epochs 16]

The nodes are raylets on one machine, which needs two idle cores. Trains whole runs on mnist5k. The clock starts at
the first message of a worker, which excludes the start of Ray. Prints the ratio; 2.0 is ideal.
"""

import argparse
import os
import tempfile
import time

os.environ["RAY_AUTH_MODE"] = "disabled"  # a short-lived cluster on this machine

from ray.cluster_utils import Cluster

from benchmarks.overhead import Clock
from sweep.driver.session import run
from sweep.settings import Settings
from sweep.spec.spec import SweepSpec, parse
from sweep.store.store import Store


def seconds(spec: SweepSpec, workers: int) -> float:
    """Wall time of a sweep in a new root on a new cluster, without start-up."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        for _ in range(workers):
            cluster.add_node(num_cpus=1)
        with tempfile.TemporaryDirectory() as folder:
            clock = Clock()
            run(spec, Store(f"{folder}/results"), Settings(address=cluster.address), clock)
            return time.monotonic() - clock.first
    finally:
        cluster.shutdown()


def main() -> None:
    """Measure both and print the ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", default="0:64")
    parser.add_argument("--epochs", type=int, default=16)
    arguments = parser.parse_args()
    spec = parse(
        {
            "variants": "base,dropout",
            "dataset": "mnist5k",
            "seeds": arguments.seeds,
            "set": {"epochs": arguments.epochs},
            "engine": "lanes",
        }
    )
    one, two = seconds(spec, 1), seconds(spec, 2)
    print(f"one worker   {one:7.1f} s")
    print(f"two workers  {two:7.1f} s")
    print(f"one / two    {one / two:7.2f}")


if __name__ == "__main__":
    main()
