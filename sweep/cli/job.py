"""What runs on the head for a submitted sweep: `sweep run` for each spec, with a cluster under it."""

import json
import os

from sweep.cluster.jobs import REQUEST


def main() -> None:
    """Train what the request in the environment asks for; SIGTERM ends it as Ctrl-C does."""
    from sweep.cli.main import FAILED, print_summary, train
    from sweep.settings import Settings
    from sweep.spec.spec import parse
    from sweep.store.store import Store

    request = json.loads(os.environ[REQUEST])
    specs = [parse(fields) for fields in request["specs"]]
    store = Store(request["root"])
    settings = Settings(address="auto", **request["options"])
    failed = train(specs, store, settings, "submit the same again")
    print_summary(store, specs)
    raise SystemExit(FAILED if failed else 0)


if __name__ == "__main__":
    main()
