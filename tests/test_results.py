"""The results page: its files, its tables from the reference distribution, and the numbers of its sentences."""

import re
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.results import BLOCK, PAGES, commands
from sweep.analysis.tables.format import render
from sweep.analysis.tables.table import make_table
from sweep.store.reference import reference

PROJECT = Path(__file__).parents[1]
RESULTS = PROJECT / "docs" / "results"
PAGE, README = ((PROJECT / path).read_text() for path in PAGES)


def csv(name):
    return pd.read_csv(RESULTS / f"{name}.csv")


def row(name, **values):
    table = csv(name)
    for column, value in values.items():
        table = table[table[column] == value]
    (found,) = table.to_dict("records")
    return found


def test_every_file_is_written_by_a_command_of_the_page_and_exists():
    written = {out.name for _, out in commands(PAGE)} | {"provenance.csv", "studies.csv"}
    assert written == {path.name for path in RESULTS.iterdir()}
    linked = set(re.findall(r"\(results/([a-z0-9-]+\.png)\)", PAGE))
    assert linked == {name for name in written if name.endswith(".png")}
    assert {f"{name}.csv" for _, name, _ in BLOCK.findall(PAGE)} <= written


@pytest.mark.parametrize("name", ["seed", "published", "paper"])
def test_tables_are_rebuilt_from_the_reference_distribution(name):
    (arguments,) = [a for a, out in commands(PAGE) if out.name == f"{name}.csv"]
    options = dict(zip(arguments[2::2], arguments[3::2], strict=True))
    frame, columns = make_table(
        reference(),
        arguments[1],
        recipes=options["--recipe"],
        datasets=options["--dataset"],
        variants=options.get("--variants"),
    )
    stored = csv(name)
    for column in ("variant", "mean", "n_ok", "n_lt", "n_eq", "n_gt", "sd", "ci_lo", "percentile", "pred_lo"):
        if column in frame:
            assert list(frame[column]) == pytest.approx(list(stored[column]), nan_ok=True) or list(
                frame[column]
            ) == list(stored[column])
    rebuilt = [line for line in render(frame, "markdown", columns).splitlines() if line.startswith("|")]
    (shown,) = [
        block.splitlines() for block in re.findall(rf"<!-- {name}.csv -->\n(.*?)<!-- end -->", PAGE, re.S)
    ]
    assert shown == rebuilt


def test_the_numbers_of_the_sentences_are_those_of_the_tables():
    base = row("seed", variant="base")
    sd = f"{base['sd_lo']:.1f}–{base['sd_hi']:.1f}"
    assert f"misses {base['mean']:.1f} ± {base['sd']:.1f} digits (sd {sd})" in PAGE
    assert (
        f"by {base['sd']:.1f} of 2,007 digits (one standard deviation, 95 % interval {sd})"
        in README.replace("\n", " ")
    )
    for change in csv("changes").to_dict("records"):
        numbers = f"{change['diff']:.1f}, {change['ci_lo']:.1f} to {change['ci_hi']:.1f}".replace("-", "−")
        for text in (PAGE, README.replace("\n", " ")):
            assert f"`{change['b']}` ({numbers})" in text
    draw = row("sources", source="draw")
    shown = f"{draw['total_sd']:.1f} ({draw['total_lo']:.1f}–{draw['total_hi']:.1f})"
    assert f"the digits by {shown} misses" in PAGE
    assert f"({shown.replace(' (', ', ')}" in README.replace("\n", " ")
    paper = row("paper", variant="base@paper")
    placed = row("paper-published", source="LeCun 1989", variant="base@paper")
    for text in (PAGE, README.replace("\n", " ")):
        assert f"{paper['n_ok']} seeds" in text
        assert f"miss {paper['mean']:.1f} ± {paper['sd']:.1f} zip codes" in text
        assert (
            f"{placed['percentile']:.0f}th percentile ({placed['pct_lo']:.0f}–{placed['pct_hi']:.0f})" in text
        )
    for law in csv("scaling").drop_duplicates("variant").to_dict("records"):
        assert f"n^-{law['exponent']:.2f} ({law['exponent_lo']:.2f}–{law['exponent_hi']:.2f})" in PAGE
    assert not csv("published-karpathy")["verdict"].str.startswith("outside").any()
    karpathy = row("recipes", variant="base@karpathy", dataset="mnist,antialias=False")
    shown = f"{karpathy['mean']:.1f} ({karpathy['ci_lo']:.1f}–{karpathy['ci_hi']:.1f})"
    assert f"`base` {shown} misses, and his {karpathy['median']:.0f} is its median" in PAGE
    means = csv("recipes").assign(
        parent=lambda t: t["variant"].str.partition("@")[0],
        digits=lambda t: t["dataset"].str.partition(",")[0],
    )
    spread = means.groupby(["parent", "digits"])["mean"].agg(lambda m: m.max() - m.min()).max()
    assert f"differ by at most {spread:.1f} between recipes" in PAGE
    by_digits = means.pivot_table(index=["parent", "recipe"], columns="digits", values="mean").dropna()
    more = by_digits["usps"] - by_digits["mnist"]
    assert f"every variant misses {more.min():.0f} to {more.max():.0f} digits more" in PAGE
    best, default, softmax, slow = (
        round(row("rates", variant=v)["mean"])
        for v in ("base,learning_rate=0.01", "base", "softmax", "softmax,learning_rate=0.003")
    )
    rates = (
        f"`base` misses {best} at 0.01 and {default} at 0.03, `softmax` {softmax} at 0.01 and {slow} at 0.003"
    )
    assert rates in PAGE
    outside = csv("published")[lambda t: t["verdict"].str.startswith("outside")]
    for number in outside.to_dict("records"):
        assert f"{number['source']} {number['misses_exact']}" in PAGE
    noise = csv("noise").set_index("variant")["majority_wrong"]
    assert f"{noise['base']} of the 2,007 digits" in PAGE
    assert f"{noise['dropout']} by most seeds of `dropout`" in PAGE
