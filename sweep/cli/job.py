"""Entry point of a submitted sweep, on the head of a cluster: `sweep run` for each spec of the request."""

import json
import os

from sweep.cli.process import run_process
from sweep.settings import REQUEST


def main() -> None:
    """Train the specs of the request in the environment; SIGTERM ends it as Ctrl-C does."""
    from sweep.cli.training import train
    from sweep.settings import Settings
    from sweep.spec.spec import parse
    from sweep.store.store import Store

    request = json.loads(os.environ[REQUEST])
    specs = [parse(fields) for fields in request["specs"]]
    settings = Settings(address="auto", wait=True, **request["options"])
    train(specs, Store(request["root"]), settings, "submit the same again")


if __name__ == "__main__":
    run_process(main)
