"""One file, whole, honest, and opened in a real browser where there is one."""

import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
import rows
from rows import A

from sweep.analysis.report import write_report

RNG = np.random.default_rng(0)
M = 2007
TRUTH = RNG.integers(0, 10, M)
IMAGES = RNG.uniform(-1, 1, (M, 16, 16)).astype(np.float32)
DIFFICULTY = RNG.beta(0.1, 2.3, M)
NAMES = ("base", "softmax")
WRONG = {name: RNG.random((45, M)) < DIFFICULTY * share for name, share in zip(NAMES, (1, 0.8), strict=True)}
PROVENANCE = [
    {"variant": "base", "dataset": "mnist-6805ab6e", "runs": 45, "engine": "vmap", "device": "<cpu & more>",
     "code": "0.1.0+00000000", "seconds": 12.5, "first": "2026-01-01T00:00:00+00:00",
     "last": "2026-01-01T00:00:00+00:00", "versions": {"jax": "0.10.2"}}
]  # fmt: skip
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def curves() -> pd.DataFrame:
    epochs = {
        name: np.stack([wrong.sum(1) + 40, wrong.sum(1) + 10, wrong.sum(1)], axis=1)
        for name, wrong in WRONG.items()
    }
    return rows.epochs(epochs, diverged={"softmax": [44]})


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    labels = pd.concat([rows.labels(wrong, TRUTH, name) for name, wrong in WRONG.items()], ignore_index=True)
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(curves(), labels, TRUTH, IMAGES, rows.planned(curves(), 45), PROVENANCE, path)
    return path


class Reader(HTMLParser):
    """Tags, addresses and text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for key, value in attrs if key in ("src", "href")]

    def handle_data(self, data):
        self.text += data


def read(path) -> Reader:
    reader = Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    return reader


def test_everything_is_in_the_one_file(page):
    reader = read(page)
    assert all(address.startswith(("data:", "#")) for address in reader.addresses)
    assert reader.tags.count("img") == 12
    assert reader.tags.count("table") >= 10
    assert "left out" not in reader.text
    assert "<cpu & more>" in reader.text  # escaped, and so read back as written


def test_numbers_are_those_of_the_tables(page):
    text = read(page).text
    assert f"{WRONG['base'].sum(1).mean():.1f}" in text
    assert "89 runs" not in text
    assert "90 runs of 2 variants" in text
    assert "Diverged runs are outside mean and spread" in text
    assert "PROVISIONAL" not in text


def test_links_lead_somewhere(page):
    source = page.read_text(encoding="utf-8")
    for anchor in re.findall(r'href="#([^"]+)"', source):
        assert f'id="{anchor}"' in source


def test_a_sweep_under_way_is_marked_provisional(tmp_path):
    path = tmp_path / "report.html"
    frame = rows.epochs({"base": A})
    write_report(frame, None, None, None, rows.planned(frame, 64), [], path)
    text = read(path).text
    assert "PROVISIONAL, runs still missing: 54 of 64 base." in text
    assert "The sweep is not complete." in text
    assert "the digits of the data set were not at hand" in text
    assert "a comparison needs two variants" in text


def test_a_single_run_makes_a_report(tmp_path):
    path = tmp_path / "report.html"
    write_report(rows.epochs({"base": [[90, 80]]}), None, None, None, None, [], path)
    assert "one run" in read(path).text or "needs two runs" in read(path).text


def test_an_empty_store_gets_a_clear_line(tmp_path):
    with pytest.raises(ValueError, match="no finished runs"):
        write_report(rows.epochs({"base": A}).iloc[:0], None, None, None, None, [], tmp_path / "report.html")


@pytest.mark.skipif(BROWSER is None, reason="no Chromium here")
@pytest.mark.parametrize("width", [1280, 400])
def test_a_browser_opens_it_sorts_its_tables_and_complains_of_nothing(page, tmp_path, width):
    """A script inside the page sorts every table and tells the page around it what it found."""
    probe = """<script>addEventListener("load", () => {
      const root = document.documentElement, beyond = root.scrollWidth - root.clientWidth;
      const broken = [...document.images].filter(i => !i.complete || !i.naturalWidth).length;
      const head = document.querySelector("th:nth-child(3) button"), column = () =>
        [...head.closest("table").tBodies[0].rows].map(r => +r.cells[2].dataset.v);
      head.click(); const up = column(); head.click(); const down = column();
      for (const b of document.querySelectorAll("th button")) b.click();
      const sorted = up.every((v, i) => !i || up[i - 1] <= v) && down.every((v, i) => !i || down[i - 1] >= v);
      parent.postMessage(JSON.stringify({width: innerWidth, beyond, broken, sorted, rows: up.length}), "*");
    });</script>"""
    inside, around = tmp_path / "inside.html", tmp_path / "around.html"
    inside.write_text(
        page.read_text(encoding="utf-8").replace("</body>", probe + "</body>"), encoding="utf-8"
    )
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
    assert f'{{"width":{width},"beyond":0,"broken":0,"sorted":true,"rows":2}}' in run.stdout
