"""The command `sweep plan`: seeds, time and price of a sweep before it starts."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sweep.cli.options import (
    JsonOption,
    RootOption,
    SpecArgument,
    SpecOptions,
    WorkersOption,
)
from sweep.cli.output import print_json, print_table
from sweep.errors import printable
from sweep.text import counted, duration

if TYPE_CHECKING:
    from sweep.analysis.planning import SeedPlan
    from sweep.cluster.cost import MachineCost
    from sweep.driver.estimate import Estimate


def plan(
    spec: SpecArgument = None,
    find: Annotated[
        float | None,
        typer.Option(
            metavar="N", help="Detect a difference of N misses between two variants, with 80 % power"
        ),
    ] = None,
    halfwidth: Annotated[
        float | None, typer.Option(metavar="N", help="Know each mean to ±N misses (95 % interval)")
    ] = None,
    *,
    replaced: SpecOptions,
    root: RootOption = "results",
    workers: WorkersOption = None,
    cluster: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also hours and dollars on the machines of a cluster file"),
    ] = None,
    prices: Annotated[
        Path | None, typer.Option(metavar="FILE", help="YAML of machine type and dollars per hour")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Print the seeds that a question needs, and their time and price.

    Without a goal the seeds are those of the spec. Nothing is trained or written.
    """
    from sweep.cluster.cost import cluster_costs, read_prices
    from sweep.driver.estimate import estimate
    from sweep.spec.read import read_spec
    from sweep.store.store import Store

    changes = replaced.changes()
    wanted = read_spec(spec, **changes)
    store = Store(root)
    table = read_prices(prices)
    answer = None
    if find is not None or halfwidth is not None:
        answer = _seed_plan(wanted, store, find, halfwidth)
        wanted = read_spec(spec, **changes | {"seeds": f"0:{answer.seeds}"})
    found = estimate(wanted, store)
    longest = max(found.seconds.values(), default=0.0)
    costs = cluster_costs(cluster, table, found.device_seconds, longest, len(found.shards)) if cluster else []
    cores = workers or os.cpu_count() or 1
    if as_json:
        print_json(_document(answer, wanted.seeds, found, cores, costs))
    else:
        if answer:
            _print_seeds(answer)
        print(printable(f"seeds {wanted.seeds}: {time_text(found, cores)}"))
        _print_costs(costs)


def _seed_plan(wanted: Any, store: Any, find: float | None, halfwidth: float | None) -> "SeedPlan":
    from sweep.analysis.planning import plan_seeds
    from sweep.errors import SpecError
    from sweep.store.reference import reference

    try:
        return plan_seeds(wanted, [store, reference()], find=find, halfwidth=halfwidth)
    except ValueError as error:
        raise SpecError(str(error)) from None


def time_text(found: "Estimate", cores: int) -> str:
    """Runs, device-hours and the time on a number of cores, in one line."""
    if not found.runs:
        return "no run is missing"
    return (
        f"{counted(found.runs, 'run')} to train, {found.device_seconds / 3600:.2g} core-hours, about "
        f"{duration(found.wall_seconds(cores))} on {counted(cores, 'core')} ({found.source})"
    )


def _print_seeds(answer: "SeedPlan") -> None:
    rows = [
        (c.variant, c.dataset, f"{c.sd:.2f}", c.seeds_known, c.source, c.seeds_needed) for c in answer.cells
    ]
    head = ("variant", "data", "sd", "of seeds", "source", "seeds needed")
    print_table(head, rows, wrapped=("variant", "data", "source"))
    print(f"To {answer.question}: {answer.seeds:,} seeds of each variant.")
    for note in answer.notes:
        print(note)


def _print_costs(costs: "list[MachineCost]") -> None:
    if not costs:
        return
    rows = [
        (
            c.node_type,
            c.machine,
            c.count,
            "unknown" if c.hours is None else f"{c.hours:.2f}",
            "unknown" if c.dollars is None else f"{c.dollars:.2f}",
        )
        for c in costs
    ]
    head = ("node type", "machine", "machines", "hours", "dollars")
    caption = "Each line: the whole sweep on this node type only, without start-up and the head node."
    print_table(head, rows, wrapped=("node type", "machine"), caption=caption)
    if untimed := [c.node_type for c in costs if c.hours is None]:
        print(
            f"hours of {', '.join(untimed)} are unknown: the stored times are of CPU cores. Measure the engine on "
            "one (`python -m benchmarks.tpu --measure`, or benchmarks.gpu), or run a few seeds there"
        )
    if unpriced := sorted({c.machine for c in costs if c.hours is not None and c.dollars is None}):
        print(
            f"dollars of {', '.join(unpriced)} are unknown: add the price per hour to a copy of "
            "sweep/cluster/prices.yaml, and name it with --prices"
        )


def _document(
    answer: "SeedPlan | None", seeds: str, found: "Estimate", cores: int, costs: "list[MachineCost]"
) -> dict[str, Any]:
    return {
        "question": answer.question if answer else None,
        "cells": [asdict(cell) for cell in answer.cells] if answer else [],
        "notes": answer.notes if answer else [],
        "seeds": seeds,
        "runs": found.runs,
        "core_seconds": found.device_seconds,
        "cores": cores,
        "wall_seconds": found.wall_seconds(cores),
        "source": found.source,
        "machines": [asdict(cost) for cost in costs],
    }
