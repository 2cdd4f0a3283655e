"""One HTML file with everything a sweep says: tables, pictures, how the numbers were made, and their limits.

It needs no network and no other file. What a store cannot support yet (one seed, no second variant) is named in
its place.
"""

import base64
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from html import escape
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import pandas as pd

from sweep.analysis import digits as dg
from sweep.analysis.format import BLANK, Column, as_column
from sweep.analysis.pairs import MARGIN, pairs
from sweep.analysis.planned import provisional_note
from sweep.analysis.plots import PLOTS
from sweep.analysis.runs import Runs, all_runs
from sweep.analysis.style import to_bytes
from sweep.analysis.summary import precision, summary
from sweep.analysis.tables import TABLES

LIBRARIES = ("numpy", "pandas", "scipy", "statsmodels", "matplotlib")
ROWS = 40  # of a long table


def write_report(
    epochs: pd.DataFrame,
    labels: pd.DataFrame | None,
    truth: np.ndarray | None,
    images: np.ndarray | None,
    planned: pd.DataFrame | None,
    provenance: Sequence[dict[str, Any]],
    out: Path,
) -> None:
    """Write the report of a store.

    Args:
      epochs: rows of the store, every epoch.
      labels: predicted test labels of one data set; None leaves out what needs them.
      truth: [m] true labels of that data set's test digits; None as above.
      images: [m, 16, 16] float32 in [-1, 1], the same digits; None leaves out the gallery.
      planned: what was asked for, see `planned.requested`; pending runs mark the report provisional.
      provenance: how the runs were made, one entry for each way, as `sweep.store.store.provenance` gives them.
      out: the HTML file.

    Raises:
      ValueError: no finished runs.
    """
    runs = all_runs(epochs)
    known = labels is not None and truth is not None
    noise = _or_none(lambda: dg.noise(labels, truth)) if known else None  # type: ignore[arg-type]
    two_way = _or_none(lambda: dg.two_way(labels, truth)) if known else None  # type: ignore[arg-type]

    def table(name: str, frame: Callable[[], pd.DataFrame]) -> str:
        return _table(name, frame)

    def standard(name: str) -> str:
        return table(name, lambda: TABLES[name].make(epochs, planned=planned))

    def plot(name: str) -> str:
        needs = PLOTS[name].needs
        if needs in ("labels", "images"):
            given = (labels, truth) if needs == "labels" else (labels, truth, images)
            if any(part is None for part in given):
                return _missing(name, "the digits of the data set were not at hand")
            return _figure(name, lambda: PLOTS[name].make(*given))
        return _figure(name, lambda: PLOTS[name].make(epochs))

    def of_labels(name: str) -> str:
        if not known:
            return _missing(name, "the digits of the data set were not at hand")
        return table(name, lambda: TABLES[name].make(labels, truth))

    sections = {
        "Results": table("summary", lambda: summary(epochs, planned=planned, noise=noise))
        + plot("raincloud"),
        "Published numbers among the seeds": standard("published") + plot("ecdf"),
        "What each change does": table("pairs", lambda: pairs(epochs, planned=planned, two_way=two_way))
        + plot("forest")
        + plot("scatter")
        + of_labels("two-way"),
        "Training": plot("curves") + plot("heatmap") + plot("best-epoch"),
        "How sure": plot("running")
        + plot("histogram")
        + table("precision", lambda: _now(precision(epochs, planned=planned))),
        "Where the spread comes from": of_labels("noise") + plot("variance") + of_labels("churn"),
        "Votes": plot("ensemble") + of_labels("ensemble"),
        "Single digits": plot("gallery") + of_labels("digits") + of_labels("fixes"),
        "How the numbers were made": _how(provenance),
        "What may not be concluded": _limits(runs, noise, planned),
    }
    title = f"Error versus seed: {', '.join(dict.fromkeys(r.cell.dataset for r in runs))}"
    warning = "".join(
        f'<p class="provisional">{escape(note)}</p>' for note in provisional_note(planned, runs)
    )
    anchors = {heading: heading.lower().replace(" ", "-") for heading in sections}
    links = " ".join(f'<a href="#{anchor}">{escape(heading)}</a>' for heading, anchor in anchors.items())
    total = sum(r.n + len(r.diverged) for r in runs)
    lead = (
        f"<p>{total:,} runs of {len(runs)} variants of the 1989 network, which differ by seed within a variant. "
        "Misses are wrongly classified test digits after the last epoch.</p>"
    )
    parts = [f"<h1>{escape(title)}</h1>", warning, lead, f"<nav>{links}</nav>"]
    parts += [
        f'<section><h2 id="{anchors[heading]}">{escape(heading)}</h2>{content}</section>'
        for heading, content in sections.items()
    ]
    page = resources.files("sweep.analysis").joinpath("report.html").read_text(encoding="utf-8")
    html = Template(page).substitute(title=escape(title), body="\n".join(parts))
    out.write_text(html, encoding="utf-8")


def _or_none(make: Callable[[], pd.DataFrame]) -> pd.DataFrame | None:
    try:
        return make()
    except ValueError:  # too few runs; its own section says so
        return None


def _now(table: pd.DataFrame) -> pd.DataFrame:
    """Of the precision table what there is, and what ten and a hundred times as much would give."""
    shown = table[~table["extrapolated"] | table["n"].isin([100, 1000])]
    shown.attrs = table.attrs
    return shown


def _table(name: str, make: Callable[[], pd.DataFrame]) -> str:
    try:
        frame = make()
    except ValueError as reason:
        return _missing(name, str(reason))
    notes = list(frame.attrs.get("notes", []))
    if len(frame) > ROWS:
        notes.insert(0, f"The first {ROWS} of {len(frame):,} rows.")
        frame = frame.head(ROWS)
    notes.append(f"All columns: sweep table {name} --format csv")
    listed = "<br>".join(map(escape, notes))
    return f"<h3>{escape(_title(TABLES[name].about))}</h3>{_html(frame, TABLES[name].narrow)}" + (
        f'<p class="notes">{listed}</p>'
    )


def _html(frame: pd.DataFrame, columns: Sequence[Column] | None) -> str:
    chosen = [as_column(frame, c) for c in (columns if columns is not None else list(frame.columns))]
    chosen = [c for c in chosen if not c.if_mixed or frame[c.fields].drop_duplicates().shape[0] > 1]
    numeric = [all(pd.api.types.is_numeric_dtype(frame[f]) for f in c.fields) for c in chosen]
    marks = [' class="number"' if right else "" for right in numeric]
    head = "".join(
        f'<th scope="col"{mark}><button type="button">{escape(c.title)}</button></th>'
        for c, mark in zip(chosen, marks, strict=True)
    )
    rows = []
    for record in frame.to_dict("records"):
        row = {str(key): value for key, value in record.items()}
        rows.append(
            "".join(
                f"<td{mark}{_sort_key(row[c.fields[0]]) if right else ''}>{escape(c.text(row))}</td>"
                for c, mark, right in zip(chosen, marks, numeric, strict=True)
            )
        )
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _sort_key(value: Any) -> str:
    return f' data-v="{"" if pd.isna(value) else float(value)}"'


def _figure(name: str, make: Callable[[], Any]) -> str:
    try:
        figure = make()
    except ValueError as reason:
        return _missing(name, str(reason))
    about = escape(_title(PLOTS[name].about))
    caption = escape(figure.get_supxlabel()).replace("\n", "<br>")
    figure.supxlabel("")  # it stands below the picture as text, readable at any width
    picture = base64.b64encode(to_bytes(figure, "svg")).decode()
    return (
        f'<figure id="{name}"><img alt="{about}" src="data:image/svg+xml;base64,{picture}">'
        f'<figcaption class="notes">{about} (sweep plot {name}).<br>{caption}</figcaption></figure>'
    )


def _missing(name: str, reason: str) -> str:
    return f'<p class="notes">{escape(_title(name))} is left out: {escape(reason)}.</p>'


def _title(text: str) -> str:
    return text[:1].upper() + text[1:]


def _how(provenance: Sequence[dict[str, Any]]) -> str:
    names = ("variant", "dataset", "runs", "engine", "device", "code", "seconds", "first", "last")
    frame = pd.DataFrame([{name: entry.get(name, BLANK) for name in names} for entry in provenance])
    made = _html(frame, None) if len(frame) else '<p class="notes">No record of how the runs were made.</p>'
    trained = sorted({f"{k} {v}" for entry in provenance for k, v in entry.get("versions", {}).items()})
    read = [f"{name} {version(name)}" for name in LIBRARIES]
    now = datetime.now(UTC).isoformat(timespec="minutes")
    definitions = "".join(
        f"<dt>{escape(term)}</dt><dd>{escape(text)}</dd>" for term, text in _DEFINITIONS.items()
    )
    return (
        f"{made}<p>Trained with {escape(', '.join(trained) or 'unknown versions')}. "
        f"This page: <code>sweep report</code>, {escape(', '.join(read))}, {now}.</p><dl>{definitions}</dl>"
    )


_DEFINITIONS = {
    "misses": "Wrongly classified digits, whole numbers, after the last epoch. Error is misses over digits.",
    "95 % CI": "Student's t interval of the mean over seeds. It says how well this mean is known on these test "
    "digits; most single runs lie outside it.",
    "sd": "Standard deviation over seeds, n - 1 in the denominator.",
    "percentile": "Share of seeds with fewer misses and half of those with as many; interval by Clopper and "
    "Pearson. Shown beside the summary from 40 seeds on.",
    "within what other digits may do": "The published run used other digits. The interval allows for one more seed "
    "and for the choice of test digits in both sets.",
    "p (Holm), p flips": "Paired t test where runs share seed, device and code, else Welch's, adjusted over all "
    "steps shown; and the exact or sampled sign-flip test without adjustment.",
    "p equivalent": f"Two one-sided t tests: small values say the difference is within ±{MARGIN:g} misses.",
    "finds": "Smallest true difference that so many seeds would find with 80 % power at the 5 % level.",
    "independent sd, real variance, test-set sd": "With p the error rate of each test digit over R seeds: "
    "Σp(1-p)·R/(R-1) is what independent errors contribute to the variance over seeds; the rest is real differences "
    "between runs; the spread of p over digits is what another test set would change.",
}


def _limits(runs: list[Runs], noise: pd.DataFrame | None, planned: pd.DataFrame | None) -> str:
    items = [
        "The intervals are over seeds, on these test digits. They do not say how the network does on other digits"
        + _floor(noise)
        + ".",
        "Each published number is a single seed, often on other digits, and was known before the sweep. Its place "
        "among the seeds is a description; it neither confirms nor refutes anybody's result.",
        "A step of the story changes several things at once (loss and output; optimiser and epochs; unit and "
        "dropout). Its difference belongs to the step, not to any one of them.",
        "A difference that is not found is not shown to be absent: look at its interval and at what so many seeds "
        "would find.",
        "The best epoch of a run is chosen by its test digits. It is shown to be mistrusted; the last epoch is the "
        "result.",
        "Hyper-parameters are those of the reproductions, tuned by their authors on these digits or ones like them. "
        "A ranking of the variants need not hold at others.",
    ]
    if any(len(r.diverged) for r in runs):
        items.append(
            "Diverged runs are outside mean and spread. A variant that diverges often is worse than its mean says."
        )
    if any(" + " in value for r in runs for value in (r.device, r.engine, r.code)):
        items.append(
            "Runs of several devices, engines or versions are mixed. They follow the same law, but a single seed's "
            "misses may differ from one to another."
        )
    if provisional_note(planned, runs):
        items.append(
            "The sweep is not complete. Whoever looks repeatedly and stops when a difference appears will find "
            "differences that are not there: six looks raise 5 % to 20 %."
        )
    return f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul>"


def _floor(noise: pd.DataFrame | None) -> str:
    if noise is None:
        return ""
    each = ", ".join(
        f"{v} ±{s:.0f}" for v, s in zip(noise["variant"], noise["test_sampling_sd"], strict=True)
    )
    return f", where the mean itself would move by about one standard deviation of {each} misses"
