"""Estimated time of a sweep of all variants on a host, from the cycles of its programs."""

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.lowering import TEST, TRAIN
from benchmarks.tpu.chips import CHIPS, HOST_CHIPS
from benchmarks.tpu.program import Figures
from model.variants import VARIANTS


@dataclass(frozen=True)
class Job:
    """A variant's block of replicas, from the first epoch to the last. It runs on one chip at a time."""

    variant: str
    seconds: float


def jobs(variant: str, seeds: int, training: Figures, evaluation: Figures) -> list[Job]:
    """The blocks of a variant."""
    cycles = TRAIN * training.cycles + (TRAIN + TEST) * evaluation.cycles  # of an epoch
    seconds = VARIANTS[variant].epochs * cycles / (CHIPS[training.chip].gigahertz * 1e9)
    return [Job(variant, seconds)] * -(-seeds // training.width)


def makespan(work: list[Job]) -> float:
    """Seconds until all chips of a host are done: longest jobs first, each on the first free chip."""
    free = [0.0] * HOST_CHIPS
    for job in sorted(work, key=lambda job: -job.seconds):
        chip = free.index(min(free))
        free[chip] += job.seconds
    return max(free)


def describe(engine: str, chip: str, seeds: int, figures: Mapping[tuple[str, str], Figures]) -> str:
    """The calculation in Markdown. figures: by (variant, part)."""
    lines = [
        f"{seeds:,} seeds × {len(VARIANTS)} variants with `{engine}` on a {chip} host of {HOST_CHIPS} chips, "
        f"at {CHIPS[chip].gigahertz} GHz:",
        "",
        "| variant | epochs | seconds of an epoch: training | evaluation | blocks | seconds of a block |",
        "|---|---|---|---|---|---|",
    ]
    work: list[Job] = []
    for variant in VARIANTS:
        training, evaluation = figures[variant, "training"], figures[variant, "evaluation"]
        blocks = jobs(variant, seeds, training, evaluation)
        hertz = CHIPS[chip].gigahertz * 1e9
        lines.append(
            f"| {variant} | {VARIANTS[variant].epochs} | {TRAIN:,} × {training.cycles:,.0f} cycles = "
            f"{TRAIN * training.cycles / hertz:.3f} | {TRAIN + TEST:,} × {evaluation.cycles:,.0f} cycles = "
            f"{(TRAIN + TEST) * evaluation.cycles / hertz:.3f} | {len(blocks)} of {training.width:,} | "
            f"{blocks[0].seconds:.1f} |"
        )
        work += blocks
    total = sum(job.seconds for job in work)
    lines += [
        "",
        f"All blocks together take {total:.1f} s of one chip. Longest first on {HOST_CHIPS} chips: "
        f"**{makespan(work):.1f} s** (compiler estimate).",
        "",
        "Not included: stalls, the change of layout before and after an epoch, transfers between host and chip, the "
        "compilation of each program, start-up, and the storage of results.",
    ]
    return "\n".join(lines)
