"""The plots by name. Each has an entry here, a function in this folder, a test and a mention in the README."""

from sweep.analysis.names import Entry

_HERE = "sweep.analysis.plots"

PLOTS: dict[str, Entry] = {
    "overview": Entry(
        f"{_HERE}.overview:overview", "spread by source, effect of each change, published numbers"
    ),
    "reproductions": Entry(
        f"{_HERE}.published:reproductions", "published numbers against the seeds", "Published numbers"
    ),
    "raincloud": Entry(
        f"{_HERE}.distributions:raincloud", "density, box and points of every variant's misses", "Results"
    ),
    "ecdf": Entry(f"{_HERE}.distributions:ecdf", "cumulative share of seeds by misses", "Published numbers"),
    "forest": Entry(f"{_HERE}.differences:forest", "difference of each change", "Effect of each change"),
    "scatter": Entry(
        f"{_HERE}.differences:scatter", "the same seed under two variants", "Effect of each change"
    ),
    "curves": Entry(f"{_HERE}.training:curves", "error after every epoch", "Training"),
    "heatmap": Entry(f"{_HERE}.training:heatmap", "misses of every seed at every epoch", "Training"),
    "best-epoch": Entry(
        f"{_HERE}.training:best_epoch", "last epoch against each run's best epoch", "Training"
    ),
    "running": Entry(f"{_HERE}.distributions:running", "mean and interval by number of seeds", "Precision"),
    "histogram": Entry(
        f"{_HERE}.distributions:histogram", "misses of the seeds and the binomial distribution", "Precision"
    ),
    "variance": Entry(
        f"{_HERE}.predictions:variance", "variance of the misses by source", "Sources of variance"
    ),
    "sources": Entry(
        f"{_HERE}.sources:sources",
        "variance components: initial weights, order, subset of digits",
        "Sources of variance",
    ),
    "luck": Entry(f"{_HERE}.sources:luck", "gain of the best of k seeds", "Sources of variance"),
    "early": Entry(f"{_HERE}.sources:early", "correlation of early with final misses", "Training"),
    "scaling": Entry(
        f"{_HERE}.sources:scaling", "error against the number of training digits", "Data scaling"
    ),
    "ensemble": Entry(f"{_HERE}.predictions:ensemble", "misses of a plurality vote of k seeds", "Ensembles"),
    "classes": Entry(f"{_HERE}.sources:classes", "error of each true label", "Test digits"),
    "gallery": Entry(f"{_HERE}.predictions:gallery", "the hardest test digits", "Test digits"),
}
