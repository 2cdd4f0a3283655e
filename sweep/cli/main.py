"""The command `sweep`: registers every command with its examples."""

from collections.abc import Sequence
from typing import Annotated, Any, NoReturn

import typer

from sweep.analysis.plots.registry import PLOTS
from sweep.analysis.tables.registry import TABLES
from sweep.cli import (
    about,
    cluster,
    doctor,
    export,
    maintenance,
    monitor,
    planning,
    predict,
    results,
    running,
)
from sweep.cli.groups import with_groups
from sweep.cli.options import epilog
from sweep.cli.process import run_process

app = typer.Typer(
    help="Seed sweeps of LeCun's 1989 network: how much does the seed change the test error?",
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=epilog("sweep run quickstart", "sweep table", "sweep report --out report.html"),
)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Entry point of the command `sweep`; `arguments` replace the process's own."""
    run_process(lambda: app(arguments, prog_name="sweep", standalone_mode=False))


def _print_version(wanted: bool) -> None:
    if wanted:
        from sweep.provenance import code_id

        print(f"lecun1989-sweep {code_id()}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version")
    ] = False,
) -> None: ...


EXAMPLES: dict[Any, tuple[str, ...]] = {
    running.run: (
        "sweep run quickstart",
        "sweep run lecun1989 --seeds 0:128 --root gs://BUCKET/results",
        "sweep run --variants base --set learning_rate=0.01,0.03 --epochs 10",
        "sweep run my.yaml --dry-run",
        "sweep run lecun1989 --keep-weights 0:8",
        "sweep run lecun1989 --seeds 0:256 --until decided",
        "sweep run softmax.yaml --wait --priority 1",
    ),
    planning.plan: (
        "sweep plan lecun1989 --find 2",
        "sweep plan lecun1989 --halfwidth 1 --cluster cluster.yaml",
        "sweep plan my.yaml --workers 8",
    ),
    running.resume: ("sweep resume", "sweep resume --root s3://BUCKET/results"),
    monitor.status: ("sweep status", "sweep status --address http://127.0.0.1:8265"),
    monitor.top: ("sweep top", "sweep top --root gs://BUCKET/results"),
    results.table: (
        "sweep table",
        "sweep table pairs --variants base,softmax --format markdown",
        "sweep table curve --out curve.csv",
        "sweep table decisions --family recipes --margin 3",
    ),
    results.plot: ("sweep plot raincloud", "sweep plot curves --split train --out curves.svg"),
    results.compare: (
        "sweep compare --misses 74 --variant base",
        "sweep compare --misses 74 --variant base --out compare.png",
    ),
    results.report: ("sweep report", "sweep report --root gs://BUCKET/results --out report.html"),
    export.export: (
        "sweep export csv --to runs.csv",
        "sweep export mlflow --to http://127.0.0.1:5000",
        "sweep export tensorboard --per variant",
        "sweep export wandb; wandb sync wandb/offline-run-*",
    ),
    export.sql: (
        "sweep sql",
        "sweep sql 'SELECT variant, avg(test_misses) FROM final GROUP BY ALL'",
        "sweep sql 'FROM epochs' --out epochs.parquet",
    ),
    doctor.doctor: ("sweep doctor", "sweep doctor --repair --root results"),
    maintenance.merge: (
        "sweep merge results-laptop results-cluster",
        "sweep merge gs://BUCKET/results --root results --dry-run",
    ),
    predict.predict: (
        "sweep predict three.png --variant dropout --seed 3",
        "sweep predict *.png --variant dropout --vote --invert --json",
    ),
    maintenance.forget: (
        "sweep forget --variants 'base,learning_rate=10' --dry-run",
        "sweep forget --variants base --dataset usps",
    ),
    about.replay: ("sweep replay base --epochs 8",),
    about.presets: ("sweep presets",),
    about.info: ("sweep info",),
    cluster.submit: (
        "sweep submit lecun1989 --root gs://BUCKET/results",
        "sweep submit quickstart --seeds 0:8 --follow",
        "sweep submit paper usps --priority 1",
    ),
    cluster.jobs: ("sweep jobs",),
    cluster.logs: ("sweep logs quickstart-8160d298 --follow",),
    cluster.stop: ("sweep stop quickstart-8160d298",),
    cluster.fetch: ("sweep fetch cluster.yaml --to results",),
}
NAMES: dict[Any, dict[str, str]] = {
    results.table: {name: entry.about for name, entry in TABLES.items()},
    results.plot: {name: entry.about for name, entry in PLOTS.items()},
}
for _command, _examples in EXAMPLES.items():
    app.command(epilog=epilog(*_examples, names=NAMES.get(_command)))(with_groups(_command))
app.add_typer(cluster.app, name="cluster")


if __name__ == "__main__":
    main()
