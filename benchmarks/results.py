"""Runs the commands of docs/results.md and README.md again and updates their tables and figures.

    python -m benchmarks.results ROOT

Every line `sweep table …` or `sweep plot …` with `--out docs/results/NAME` in the two pages is run on the root. The
table between `<!-- NAME.csv -->` and `<!-- end -->` is replaced by the one of the command that writes NAME.csv, or
else by the content of docs/results/NAME.csv. docs/results/provenance.csv lists the runs, their engine, device, code
and training time; `benchmarks.studies` writes docs/results/studies.csv.
"""

import argparse
import io
import re
import shlex
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path

import pandas as pd

from sweep.cli.main import app
from sweep.store.status import provenance
from sweep.store.store import existing

FOLDER = Path("docs/results")
PAGES = (Path("docs/results.md"), Path("README.md"))
COMMAND = re.compile(r"^sweep ((?:table|plot) .*--out (docs/results/[a-z0-9-]+\.(?:csv|png)))$", re.MULTILINE)
BLOCK = re.compile(r"(<!-- ([a-z0-9-]+)\.csv -->\n).*?(<!-- end -->)", re.DOTALL)


def commands(text: str) -> Iterator[tuple[list[str], Path]]:
    """Arguments and output file of each command of a page."""
    for arguments, out in COMMAND.findall(text):
        yield shlex.split(arguments), Path(out)


def markdown(arguments: list[str], root: str) -> str:
    """The table that a command prints as Markdown, without its notes."""
    at = arguments.index("--out")
    printed = io.StringIO()
    with redirect_stdout(printed):
        run([*arguments[:at], *arguments[at + 2 :], "--format", "markdown"], root)
    return "\n".join(line for line in printed.getvalue().splitlines() if line.startswith("|")) + "\n"


def run(arguments: list[str], root: str) -> None:
    app([*arguments, "--root", root], standalone_mode=False)


def write_provenance(root: str, out: Path) -> None:
    """Runs and training time of each data set, recipe and version."""
    rows = pd.DataFrame(list(provenance(existing(root).files)))
    rows["recipe"] = rows["variant"].str.extract(r"@([a-z]+)")[0].fillna("flax")
    rows["dataset"] = rows["dataset"].str.extract("([a-z0-9]+)")[0]
    keys = ["dataset", "recipe", "engine", "device", "code"]
    table = rows.groupby(keys).agg(
        cells=("variant", "size"), runs=("runs", "sum"), seconds=("seconds", "sum")
    )
    table.reset_index().round({"seconds": 0}).to_csv(out, index=False)


def csv_markdown(file: Path) -> str:
    """The content of a CSV file as Markdown."""
    table = pd.read_csv(file)
    lines = [table.columns, ["---"] * len(table.columns), *table.to_numpy().tolist()]
    return "".join(
        f"| {' | '.join(f'{v:,.0f}' if isinstance(v, float) else str(v) for v in line)} |\n" for line in lines
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", metavar="ROOT")
    root = parser.parse_args().root
    write_provenance(root, FOLDER / "provenance.csv")
    tables: dict[str, str] = {}
    for page in PAGES:
        for arguments, out in commands(page.read_text()):
            try:
                run(arguments, root)
                if out.suffix == ".csv":
                    tables[out.stem] = markdown(arguments, root)
            except Exception as error:  # the other results are still updated
                print(f"{out}: {error}")
    for page in PAGES:
        page.write_text(
            BLOCK.sub(
                lambda m: m[1] + (tables.get(m[2]) or csv_markdown(FOLDER / f"{m[2]}.csv")) + m[3],
                page.read_text(),
            )
        )


if __name__ == "__main__":
    main()
