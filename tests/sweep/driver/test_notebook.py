"""The progress display of notebooks, without a notebook: its HTML, and that nothing is shown elsewhere."""

import subprocess
import sys

from model.variants import variant
from sweep.driver.driver import Outcome
from sweep.driver.notebook import NotebookDisplay, in_notebook
from sweep.messages import Failed, Progress, Started
from sweep.spec.shard import Cell, Shard

SHARD = Shard(Cell(variant("base", epochs=4), "mnist5k", "d" * 64, 3920), range(4))


class Handle:
    """Records what a notebook would show."""

    def __init__(self):
        self.pages = []

    def update(self, page):
        self.pages.append(page.data)


def display():
    shown = NotebookDisplay()
    shown._handle = Handle()
    return shown


def test_the_bar_and_the_table_follow_the_run():
    shown = display()
    shown.phase("starting Ray")
    shown.begin([SHARD], 2)
    shown.message(SHARD, Started(0, "lanes", "cpu", None))
    shown.message(SHARD, Progress(1, [0.1] * 4, seconds=1.0))
    assert '<progress value="0.2500" max="1"' in shown.html()
    assert "25% done, 0:03 left" in shown.html()
    assert "<td>base,epochs=4</td><td>0/4</td><td>1/4</td><td>10.00%</td>" in shown.html()
    assert shown.html().endswith(
        "starting Ray<br>4 runs to train in 1 shard, 2 already stored<br>engine lanes on cpu"
    )
    pages = shown._handle.pages
    assert pages[0] == "starting Ray"
    assert "<progress" in pages[1]


def test_text_is_escaped():
    shown = display()
    shown.begin([SHARD], 0)
    shown.message(SHARD, Started(0, "lanes", "<cpu>", None))
    shown.message(SHARD, Failed("traceback"))
    assert "engine lanes on &lt;cpu&gt;" in shown.html()
    assert "failed, the other shards continue" in shown.html()


def test_outside_a_notebook_ipython_is_not_loaded():
    assert not in_notebook()
    program = "import sys, sweep.driver.session; print('IPython' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


def test_the_outcome_is_one_readable_line():
    assert repr(Outcome()) == "<Outcome: nothing to train>"
    outcome = Outcome(planned=[SHARD] * 2, finished=[SHARD], failed=[SHARD])
    assert repr(outcome) == "<Outcome: 4 runs trained in 1 shard, 1 failed>"
    assert "<li>failed: base,epochs=4[0:4]</li>" in outcome._repr_html_()
