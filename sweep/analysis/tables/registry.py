"""The tables by name. Each has an entry here, a file in this folder, a test and a line in the README."""

from sweep.analysis.names import Entry

_HERE = "sweep.analysis.tables"

TABLES: dict[str, Entry] = {
    "summary": Entry(
        f"{_HERE}.summary:TABLE", "mean, interval and spread of each variant's misses", "Results"
    ),
    "published": Entry(f"{_HERE}.placement:TABLE", "published numbers among the seeds", "Published numbers"),
    "pairs": Entry(
        f"{_HERE}.pairs:TABLE", "differences between variants, with tests", "Effect of each change"
    ),
    "decisions": Entry(
        f"{_HERE}.decisions:TABLE", "larger, smaller or equivalent, decided at 16, 32, 64 … seeds"
    ),
    "two-way": Entry(
        f"{_HERE}.two_way:TABLE",
        "differences between variants over seeds and test sets",
        "Effect of each change",
    ),
    "wide": Entry(f"{_HERE}.wide:TABLE", "one row per seed, one column of misses per variant"),
    "curve": Entry(f"{_HERE}.curve:TABLE", "misses and loss after every epoch"),
    "precision": Entry(
        f"{_HERE}.precision:TABLE", "interval widths and detectable effects by number of seeds", "Precision"
    ),
    "noise": Entry(
        f"{_HERE}.noise:TABLE",
        "variance of the misses by source: seeds, runs, test digits",
        "Sources of variance",
    ),
    "sources": Entry(
        f"{_HERE}.sources:TABLE",
        "variance by source: initial weights, order, subset of digits",
        "Sources of variance",
    ),
    "churn": Entry(
        f"{_HERE}.churn:TABLE", "test digits that change their label between runs", "Sources of variance"
    ),
    "luck": Entry(
        f"{_HERE}.luck:TABLE",
        "gain of the best of k seeds, on these and on other digits",
        "Sources of variance",
    ),
    "tooling": Entry(
        f"{_HERE}.tooling:TABLE",
        "the same seeds with two engines, devices or versions",
        "Sources of variance",
    ),
    "early": Entry(f"{_HERE}.early:TABLE", "correlation of early with final misses", "Training"),
    "scaling": Entry(
        f"{_HERE}.scaling:TABLE", "misses against the number of training digits", "Data scaling"
    ),
    "ensemble": Entry(f"{_HERE}.ensemble:TABLE", "misses of a plurality vote of k seeds", "Ensembles"),
    "digits": Entry(
        f"{_HERE}.digits:TABLE", "error rate of every test digit over seeds, hardest first", "Test digits"
    ),
    "classes": Entry(f"{_HERE}.classes:TABLE", "misses by true label, and confusions", "Test digits"),
    "rejection": Entry(
        f"{_HERE}.rejection:TABLE", "test digits to reject for 1 % error on the rest", "Test digits"
    ),
    "fixes": Entry(f"{_HERE}.fixes:TABLE", "test digits that each change fixes or breaks", "Test digits"),
}
