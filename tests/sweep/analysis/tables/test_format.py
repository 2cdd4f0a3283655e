"""One table, six formats."""

import io
import json

import numpy as np
import pandas as pd
import pytest

from sweep.analysis.tables import placement
from sweep.analysis.tables import summary as summary_module
from sweep.analysis.tables.format import Column, render
from tests.sweep.analysis import rows
from tests.sweep.analysis.rows import X200, A

COLUMNS = summary_module.TABLE.columns


def frame() -> pd.DataFrame:
    return summary_module.summary(rows.runs({"base": X200, "softmax": A, "dropout": [35]}))


def test_text_fits_a_terminal_and_describes_its_data():
    text = render(frame(), "text", COLUMNS)
    lines = text.splitlines()
    assert max(map(len, lines)) <= 110
    base = next(line for line in lines if line.strip().startswith("base"))
    assert base.split()[1:4] == ["200", "83.0", "82.2–83.8"]
    assert "82 (43 %)" in base
    assert "mnist" in text
    assert "2,007 test digits" in text
    dropout = next(line for line in lines if line.strip().startswith("dropout"))
    assert "–" in dropout.split()  # one run has no interval
    assert "nan" not in text.lower()


def test_csv_and_parquet_and_json_hold_every_column():
    table = frame()
    csv = pd.read_csv(io.StringIO(render(table, "csv")))
    parquet = pd.read_parquet(io.BytesIO(render(table, "parquet")))
    decoded = json.loads(render(table, "json"))
    assert list(csv.columns) == list(parquet.columns) == list(decoded["rows"][0]) == list(table.columns)
    assert csv["mean"].to_numpy() == pytest.approx(table["mean"].to_numpy())
    assert parquet["mean"].to_numpy() == pytest.approx(table["mean"].to_numpy())
    assert decoded["rows"][0]["sd"] == pytest.approx(table["sd"][0])
    assert decoded["rows"][2]["sd"] is None
    assert decoded["notes"] == table.attrs["notes"]


def test_markdown_is_a_table():
    lines = render(frame(), "markdown", COLUMNS).splitlines()
    assert lines[0].startswith("| variant")
    assert set(lines[1]) <= set("|-: ")
    assert len({line.count("|") for line in lines[:5]}) == 1


def test_latex_is_escaped():
    text = render(placement.published(rows.runs({"base": X200})), "latex", placement.TABLE.columns)
    assert r"\begin{tabular}" in text
    body = text.split(r"\midrule")[1]
    assert r"43 \% (33--54)" in body
    assert "%" not in body.replace(r"\%", "")


def test_latex_is_a_booktabs_table_of_the_main_columns():
    text = render(frame(), "latex", COLUMNS)
    body = [line for line in text.splitlines() if not line.startswith("%")]
    assert body[0] == r"\begin{tabular}{lrrrrrrrrrrrr}"
    assert body[1] == r"\toprule"
    assert body[2].startswith("variant & n & mean & 95 \\% CI & sd")
    assert len({line.count("&") for line in body[4:-2]} | {body[2].count("&")}) == 1
    assert body[-2:] == [r"\bottomrule", r"\end{tabular}"]


def test_medians_are_not_rounded():
    text = render(summary_module.summary(rows.runs({"base": [58, 59, 58, 59]})), "text", COLUMNS)
    assert " 58.5 " in text


def test_columns_by_name_and_a_limit():
    table = frame()
    text = render(table, "text", ["variant", "mean", "provisional"], limit=1)
    assert text.splitlines()[0].split() == ["variant", "mean", "provisional"]
    assert "The first 1 of 3 rows" in text
    assert "dropout" not in text


def test_constant_and_empty_columns_are_omitted_on_request():
    mixed = Column("data set", "{dataset}", "if_mixed")
    one = pd.DataFrame({"dataset": ["mnist", "mnist"], "n": [1, 2]})
    assert "data set" not in render(one, "text", [mixed, "n"])
    assert "data set" in render(one.assign(dataset=["mnist", "usps"]), "text", [mixed, "n"])
    known = Column("note", "{note}", "if_known")
    assert "note" not in render(one.assign(note=["", ""]), "text", [known, "n"])
    assert "note" not in render(one.assign(note=[None, None]), "text", [known, "n"])
    assert "note" in render(one.assign(note=["", "constant"]), "text", [known, "n"])


@pytest.mark.parametrize(
    ("format", "columns", "line"),
    [
        ("txt", None, "unknown format 'txt': did you mean 'text'"),
        ("csv", ["medain"], "unknown column 'medain': did you mean 'median'"),
    ],
)
def test_wrong_requests(format, columns, line):
    with pytest.raises(ValueError, match=line):
        render(frame(), format, columns)


def test_missing_values_are_dashes():
    table = pd.DataFrame({"a": [1.0, np.nan], "b": pd.array([1, pd.NA], dtype="Int64")})
    shown = [Column("both", "{a:.1f}–{b}"), Column("one", "{a:.1f}[ ({b})]"), "b"]
    assert render(table, "text", shown).splitlines()[-1].split() == ["–", "–", "–"]
