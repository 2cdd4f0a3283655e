"""The report: one complete file that a real browser opens without errors."""

import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest

from sweep.analysis import report as report_module
from sweep.analysis.report import make_report
from sweep.analysis.report_text import answer
from sweep.analysis.selection import Filters, Selection
from sweep.store.store import Store
from tests.sweep.analysis import rows
from tests.sweep.analysis.rows import X200, A
from tests.sweep.analysis.stored import stored

RNG = np.random.default_rng(0)
DIFFICULTY = RNG.beta(0.6, 2.4, 60)
WRONG = {"base": RNG.random((24, 60)) < DIFFICULTY, "softmax": RNG.random((24, 60)) < 0.8 * DIFFICULTY}
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    root = tmp_path_factory.mktemp("report") / "results"
    return stored(root, WRONG, diverged={"softmax": {23}}, engine="<vmap & more>")


@pytest.fixture(scope="module")
def report(store):
    return make_report(Selection(store))


class Reader(HTMLParser):
    """Tags, addresses and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for key, value in attrs if key in ("src", "href")]

    def handle_data(self, data):
        self.text += data


def test_the_report_is_one_complete_file(report):
    reader = Reader(report.html)
    assert all(address.startswith(("data:", "#")) for address in reader.addresses)
    assert reader.tags.count("img") == 15
    assert reader.tags.count("table") >= 12
    assert {missing.name for missing in report.missing} == {
        "published",
        "reproductions",
        "scaling",
        "sources",
        "tooling",
    }
    assert "<vmap & more>" in reader.text  # escaped, and so read back as written


def test_the_report_begins_with_the_answer_and_one_figure(report):
    body = report.html.partition("</h1>")[2]
    before_links = body.partition("<nav>")[0]
    assert "Changing only the seed moves the test misses by" in before_links
    assert before_links.count("<img") == 1
    assert body.count('id="plot-raincloud"') == 1


def test_long_tables_are_collapsed_and_short_ones_open(report):
    assert re.search(r'<details id="table-digits"><summary>[^<]+ \(40 rows\)', report.html)
    assert '<h3 id="table-summary">' in report.html
    assert "The first 40 of 120 rows." in report.html


def test_columns_without_a_value_are_left_out(report):
    summary = report.html.partition('id="table-summary"')[2].partition("</table>")[0]
    assert "Karpathy" not in summary  # no number was published for these digits
    assert "1 of 24 diverged" in summary


def test_numbers_are_those_of_the_tables(report):
    text = Reader(report.html).text
    assert f"{WRONG['base'].sum(1).mean():.1f}" in text
    assert "Diverged runs are not in means" in text
    assert "PROVISIONAL" not in text


def test_links_have_targets(report):
    for anchor in re.findall(r'href="#([^"]+)"', report.html):
        assert f'id="{anchor}"' in report.html


def test_a_report_of_an_unfinished_sweep_is_marked_provisional(tmp_path):
    wanted = stored(tmp_path / "r", {"base": WRONG["base"]}, width=8)
    next((tmp_path / "r" / "epochs").rglob("seeds-8-15-*.parquet")).unlink()
    text = Reader(make_report(Selection(Store(wanted.root))).html).text
    assert "PROVISIONAL, runs pending: 8 of 24 base,epochs=5." in text
    assert "The sweep is not complete." in text
    assert "a comparison needs two variants" in text


def test_a_grid_of_many_variants_has_few_tables(store, monkeypatch):
    monkeypatch.setattr(report_module, "MOST_CELLS", 1)
    made = make_report(Selection(store))
    left_out = {m.name: m.reason for m in made.missing}
    assert "2 combinations of variant and data set, at most 1" in left_out["pairs"]
    assert "summary" not in left_out
    assert "table" in Reader(made.html).tags


def test_a_single_run_makes_a_report(tmp_path):
    text = Reader(make_report(Selection(stored(tmp_path / "r", {"base": WRONG["base"][:1]}))).html).text
    assert "train more seeds to see how much the seed matters" in text


def test_a_second_root_adds_the_table_of_the_tools(store, tmp_path):
    other = stored(tmp_path / "other", WRONG, engine="lanes")
    made = make_report(Selection(store), against=other.root)
    assert "tooling" not in {missing.name for missing in made.missing}


def test_digits_that_are_not_available_are_named(store, monkeypatch):
    from data import DataUnavailable

    def unavailable(self, digest):
        raise DataUnavailable("the digits are elsewhere")

    monkeypatch.setattr(Selection, "dataset", unavailable)
    report = make_report(Selection(store))
    assert {m.name for m in report.missing} == {
        "gallery",
        "published",
        "reproductions",
        "scaling",
        "sources",
        "tooling",
    }
    assert "gallery is left out: the digits are elsewhere." in Reader(report.html).text


def test_filters_and_an_empty_root_get_a_clear_line(store, tmp_path):
    with pytest.raises(ValueError, match="no finished run has variant 'bse'"):
        make_report(Selection(store, Filters(variants="bse")))
    empty = Store(str(tmp_path / "empty"))
    empty.open_for_writing()
    with pytest.raises(ValueError, match="no run has finished yet"):
        make_report(Selection(empty))


def test_the_answer_counts_the_reproductions():
    text = answer(rows.runs({"base": X200, "dropout": A - 20}))
    assert "5.9 to 6.0 of 2,007 digits" in text
    assert "7 of 10 published reproductions lie within" in text
    assert answer(rows.runs({"base": [80]})).startswith("One run per variant")
    assert "published" not in answer(rows.runs({"base": A}, sizes=(3920, 1080)))


@pytest.mark.skipif(BROWSER is None, reason="no Chromium here")
@pytest.mark.parametrize("width", [1280, 400])
def test_a_browser_opens_it_and_sorts_its_tables(report, tmp_path, width):
    """A script inside the page sorts every table and reports to the page around it."""
    probe = """<script>addEventListener("load", () => {
      const root = document.documentElement, beyond = root.scrollWidth - root.clientWidth;
      const broken = [...document.images].filter(i => !i.complete || !i.naturalWidth).length;
      const holder = document.querySelector("#table-summary + .holder");
      const head = holder.querySelector("th:nth-child(3) button"), column = () =>
        [...holder.querySelector("tbody").rows].map(r => +r.cells[2].dataset.v);
      head.click(); const up = column(); head.click(); const down = column();
      for (const b of document.querySelectorAll("th button")) b.click();
      const sorted = up.every((v, i) => !i || up[i - 1] <= v) && down.every((v, i) => !i || down[i - 1] >= v);
      const hint = getComputedStyle(holder.querySelector(".hint")).display;
      parent.postMessage(JSON.stringify({width: innerWidth, beyond, broken, sorted, hint, rows: up.length}), "*");
    });</script>"""
    inside, around = tmp_path / "inside.html", tmp_path / "around.html"
    inside.write_text(report.html.replace("</body>", probe + "</body>"), encoding="utf-8")
    around.write_text(  # a headless window is at least 500 wide, a frame is not
        "<script>onmessage = e => document.body.textContent = e.data</script>"
        f'<body><iframe src="inside.html" style="width:{width}px;height:900px;border:0"></iframe>'
    )
    command = [
        str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
        "--disable-background-networking", "--disable-component-update", "--enable-logging=stderr",
        f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=20000", "--dump-dom", around.as_uri(),
    ]  # fmt: skip
    run = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert "CONSOLE" not in run.stderr
    hint = "block" if width == 400 else "none"  # the cue for scrolling a table that is wider than the page
    found = f'{{"width":{width},"beyond":0,"broken":0,"sorted":true,"hint":"{hint}","rows":2}}'
    assert found in run.stdout
