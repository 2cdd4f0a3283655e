"""Tables and plots are found only through their registries, and load nothing before they are used."""

import subprocess
import sys

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from sweep.analysis.names import FORMATS, SECTIONS, Entry
from sweep.analysis.plots.plot import load_plot, make_plot
from sweep.analysis.plots.registry import PLOTS
from sweep.analysis.plots.style import new_figure
from sweep.analysis.report import make_report
from sweep.analysis.selection import Selection
from sweep.analysis.tables.format import Column, render
from sweep.analysis.tables.registry import TABLES
from sweep.analysis.tables.table import Table, load_table, make_table
from sweep.cli.main import main
from tests.sweep.analysis.stored import stored

# published sizes, several sizes, crossed seeds, a second root
ONLY_ON_OTHER_RUNS = {"published", "scaling", "sources", "tooling"}
WRONG = np.random.default_rng(1).random((6, 60)) < 0.2


def _toy_rows(data: Selection, *, times: int = 1) -> pd.DataFrame:
    return pd.DataFrame({"variant": [r.cell.variant for r in data.runs()], "toys": times})


def toy_plot(data: Selection) -> Figure:
    figure = new_figure(2)
    figure.subplots().plot([r.n for r in data.runs()])
    return figure


TOY = Table(_toy_rows, (Column("name of the toy", "{variant}"), Column("number of toys", "{toys}")))


@pytest.fixture
def toys(monkeypatch):
    monkeypatch.setitem(TABLES, "toy", Entry(f"{__name__}:TOY", "toys of each variant", "Results"))
    monkeypatch.setitem(PLOTS, "toy", Entry(f"{__name__}:toy_plot", "a line of toys", "Results"))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return stored(tmp_path_factory.mktemp("registry") / "results", {"base": WRONG, "softmax": ~WRONG})


def run_main(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["sweep", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    return stop.value.code


def test_a_table_and_a_plot_of_the_registry_are_everywhere(toys, store, tmp_path, monkeypatch, capsys):
    assert make_table(store, "toy", times=3)[0]["toys"].tolist() == [3, 3]
    assert run_main(monkeypatch, "table", "toy", "--root", store.root) == 0
    assert "name of the toy" in capsys.readouterr().out
    assert run_main(monkeypatch, "plot", "toy", "--root", store.root, "--out", tmp_path / "toy.svg") == 0
    assert "<svg" in (tmp_path / "toy.svg").read_text()
    html = make_report(Selection(store)).html
    assert "number of toys" in html
    assert 'id="plot-toy"' in html


@pytest.mark.parametrize("command", ["table", "plot"])
def test_help_lists_the_registry(command):
    program = (
        "import sys\nfrom sweep.analysis.names import Entry\n"
        "from sweep.analysis.plots.registry import PLOTS\nfrom sweep.analysis.tables.registry import TABLES\n"
        "PLOTS['xylophone'] = TABLES['xylophone'] = Entry('nowhere:NOTHING', 'a toy')\n"
        f"sys.argv = ['sweep', '{command}', '--help']\n"
        "from sweep.cli.main import main\nmain()"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "xylophone" in run.stdout


def test_help_loads_neither_pandas_nor_matplotlib():
    program = (
        "import sys\nfrom sweep.cli.main import main\n"
        "sys.argv = ['sweep', 'table', '--help']\n"
        "try:\n    main()\nfinally:\n    print('LOADED', *sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    loaded = set(run.stdout.rpartition("LOADED")[2].split())
    assert not {"pandas", "matplotlib", "numpy", "pyarrow", "scipy", "jinja2"} & loaded


@pytest.mark.parametrize("name", TABLES)
def test_every_entry_of_the_tables_is_a_table(name):
    table = load_table(name)
    assert isinstance(table, Table)
    assert TABLES[name].section in (None, *SECTIONS)
    assert TABLES[name].about[0].islower() or TABLES[name].about[0].isdigit()


@pytest.mark.parametrize("name", PLOTS)
def test_every_entry_of_the_plots_is_a_function(name):
    assert callable(load_plot(name))
    assert PLOTS[name].section in (None, *SECTIONS)


@pytest.mark.parametrize("name", [name for name in TABLES if name not in ONLY_ON_OTHER_RUNS])
@pytest.mark.parametrize("format", FORMATS)
def test_every_table_in_every_format(store, name, format):
    frame, columns = make_table(store, name)
    main_only = format in ("text", "markdown", "latex")
    assert len(render(frame, format, columns if main_only else None)) > 100
    assert frame.attrs["notes"]


@pytest.mark.parametrize(
    ("make", "name", "options", "line"),
    [
        (make_table, "sumary", {}, "unknown table 'sumary': did you mean 'summary'"),
        (make_plot, "galery", {}, "unknown plot 'galery': did you mean 'gallery'"),
        (make_table, "digits", {"epoch": 3}, "table 'digits' has no option --epoch: it has none"),
        (make_table, "wide", {"noise": True}, "table 'wide' has no option --noise: it has --split, --epoch"),
        (make_plot, "gallery", {"split": "train"}, "plot 'gallery' has no option --split: it has none"),
    ],
)
def test_unknown_names_and_options(store, make, name, options, line):
    with pytest.raises(ValueError, match=line):
        make(store, name, **options)


def test_plots_do_not_change_matplotlibs_settings(store):
    before = dict(matplotlib.rcParams)
    make_plot(store, "raincloud")
    assert dict(matplotlib.rcParams) == before
