"""The commands as a user types them."""

import re

import pytest

from sweep.analysis.plots.registry import PLOTS
from sweep.analysis.tables.registry import TABLES
from tests.sweep.cli.command import listing, sweep
from tests.sweep.small import run_inline, small_spec

SPEC = "variants: base\nseeds: 0:2\nset: {epochs: 1}\ndataset: {name: mnist5k, n_train: 120, n_test: 60}"
COMMANDS = ("run", "resume", "status", "top", "table", "plot", "compare", "report", "doctor", "replay")
COMMANDS += ("merge", "forget", "presets", "info", "export", "sql", "submit", "jobs", "logs", "stop", "fetch")
COMMANDS += ("plan",)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    path = tmp_path_factory.mktemp("cli") / "results"
    run_inline(path, small_spec(seeds="0:3", set={"epochs": 1}))
    return path


@pytest.mark.parametrize("command", ["", *COMMANDS, "cluster", "cluster validate"])
def test_every_help_fits_80_columns_and_nothing_is_cut(command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    help = sweep(*command.split(), "--help")
    assert help.code == 0
    assert max(map(len, help.out.splitlines())) <= 80
    text = help.out.replace("{SPECS}...", "").replace("[ARGS]...", "").replace("{ROOT}...", "")
    assert "..." not in text
    if command != "cluster":
        assert "Examples:" in text


def test_the_help_names_every_hyper_parameter():
    text = " ".join(sweep("run", "--help").out.split())
    assert "learning_rate, lr_schedule, final_fraction, weight_decay, epochs" in text


def test_the_version():
    assert re.fullmatch(r"lecun1989-sweep \d+\.\d+\S*\n", sweep("--version").out)


def test_without_a_command_the_help_is_printed():
    ended = sweep()
    assert ended.code == 2
    assert "Commands:" in ended.err


def test_shell_completion_is_offered():
    assert "--install-completion" in sweep("--help").out


def test_missing_digits_without_a_network_are_explained(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("LECUN1989_MANUAL_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    ended = sweep("run", "--dataset", "usps", "--manual-dir", tmp_path, "--root", tmp_path / "r")
    if ended.code == 0:
        pytest.skip("the network served the digits")
    assert ended.code == 2
    assert "zip.train.gz" in ended.err
    assert not (tmp_path / "r").exists()


def test_missing_digits_are_reported_before_ray_starts(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("LECUN1989_MANUAL_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # no network
    ended = sweep("run", "--dataset", "usps", "--root", tmp_path / "r")
    assert ended.code == 2
    assert "Ray" not in ended.err
    assert "zip.train.gz" in ended.err.splitlines()[-1]


def test_the_help_describes_every_table_and_plot():
    for command, known in (("table", TABLES), ("plot", PLOTS)):
        text = sweep(command, "--help").out
        for name, entry in known.items():
            assert re.search(rf"^ +{name} +{re.escape(entry.about)}$", text, re.MULTILINE)


def test_identical_combinations_are_named_once(tmp_path):
    options = ("--recipe", "flax,karpathy", "--variants", "base", "--set", "init=flax,karpathy")
    ended = sweep("run", *options, "--dataset", "usps", "--dry-run", "--root", tmp_path / "r")
    assert "32 of 32 runs would be trained" in ended.out
    note = "identical, trained once: base@karpathy,init=flax = base, base@karpathy = base,init=karpathy\n"
    assert ended.out.count(note) == 1


def test_a_dry_run_writes_nothing(tmp_path):
    ended = sweep("run", "quickstart", "--epochs", 1, "--dry-run", "--root", tmp_path / "r")
    assert ended.code == 0
    assert "80 of 80 runs would be trained" in ended.out
    assert "seeds 0:16, 1 epoch\n" in ended.out
    assert not (tmp_path / "r").exists()


def test_sizes_and_subset_seeds_make_a_grid_of_data_sets(tmp_path):
    options = ("--n-train", "60,120", "--draw", "0:3", "--set", "order_seed=0:2")
    (tmp_path / "spec.yaml").write_text(SPEC)
    ended = sweep("run", "spec.yaml", *options, "--dry-run", "--root", "r", cwd=tmp_path)
    lines = ended.out.splitlines()
    assert "base,epochs=1,order_seed=1 on mnist5k,n_train=60,n_test=60,draw=2: seeds 0:2, 1 epoch" in lines
    assert "24 of 24 runs would be trained" in ended.out


def test_a_dry_run_counts_the_runs_that_another_spec_stored(tmp_path):
    (tmp_path / "spec.yaml").write_text(SPEC)
    run_inline(tmp_path / "r", small_spec(variants="base", seeds="0:2", set={"epochs": 1}))
    before = listing(tmp_path)
    ended = sweep("run", "spec.yaml", "--seeds", "1:4", "--dry-run", "--root", "r", cwd=tmp_path)
    assert "2 of 3 runs would be trained" in ended.out
    ended = sweep("run", "spec.yaml", "--set", "shift=0,1", "--dry-run", "--root", "r", cwd=tmp_path)
    assert "2 of 4 runs would be trained" in ended.out
    assert listing(tmp_path) == before


@pytest.mark.parametrize("name", ["summary", "wide", "curve"])
@pytest.mark.parametrize("format", ["text", "csv", "markdown", "json"])
def test_tables_in_every_format(root, name, format):
    ended = sweep("table", name, "--format", format, "--root", root)
    assert ended.code == 0, ended.err
    assert "base" in ended.out


@pytest.mark.parametrize("name", ["digits", "noise", "churn", "ensemble", "fixes", "two-way", "pairs"])
def test_tables_of_the_last_epoch(root, name):
    ended = sweep("table", name, "--root", root)
    assert ended.code == 0, ended.err
    assert "dropout,epochs=1" in ended.out


@pytest.mark.parametrize(
    ("suffix", "part"),
    [
        ("csv", b"dataset,dataset_digest,seed"),
        ("md", b"|---"),
        ("json", b'"notes": ['),
        ("tex", b"\\begin{tabular}"),
        ("parquet", b"PAR1"),
        ("txt", b"dropout"),
    ],
)
def test_the_suffix_of_out_chooses_the_format(root, tmp_path, suffix, part):
    path = tmp_path / "new" / "folder" / f"table.{suffix}"
    ended = sweep("table", "wide", "--root", root, "--out", path)
    assert ended.code == 0, ended.err
    assert ended.err == f"wrote {path}\n"
    assert not ended.out
    assert part in path.read_bytes()
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_names_with_overrides_are_chosen_by_their_own_names(root):
    ended = sweep("table", "wide", "--format", "csv", "--variants", "base,epochs=1", "--root", root)
    assert ended.code == 0, ended.err
    assert "base,epochs=1" in ended.out
    assert "dropout" not in ended.out


def test_base_and_a_wildcard_are_the_overrides_of_base(root):
    ended = sweep("table", "wide", "--format", "csv", "--variants", "base,*", "--root", root)
    assert ended.code == 0, ended.err
    assert "base,epochs=1" in ended.out
    assert "dropout" not in ended.out


def test_plots_and_a_comparison(root, tmp_path):
    for name in ("ecdf", "curves", "gallery"):
        assert sweep("plot", name, "--root", root, cwd=tmp_path).err == f"wrote {name}.png\n"
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    compare = ("compare", "--misses", 20, "--variant", "base,epochs=1", "--out", "new/place.svg")
    ended = sweep(*compare, "--root", root, cwd=tmp_path)
    assert "20 misses" in ended.out
    assert ended.err.startswith("wrote new/place.svg\n")
    assert "60 test digits" in ended.err
    assert "<svg" in (tmp_path / "new" / "place.svg").read_text()


def test_the_report_of_a_store_is_complete(root, tmp_path):
    ended = sweep("report", "--root", root, "--out", tmp_path / "r.html")
    assert ended.code == 0, ended.err
    assert ended.err == f"wrote {tmp_path / 'r.html'}\n"
    page = (tmp_path / "r.html").read_text()
    assert 'id="plot-gallery"' in page
    assert "PROVISIONAL" not in page


def test_a_finished_root_is_not_changed(tmp_path):
    (tmp_path / "spec.yaml").write_text(SPEC)
    first = sweep("run", "spec.yaml", "--executor", "inline", cwd=tmp_path)
    assert first.code == 0, first.err
    assert "2 runs trained" in first.err
    before = listing(tmp_path)
    again = sweep("run", "spec.yaml", cwd=tmp_path)
    assert again.code == 0, again.err
    assert "nothing to train" in again.err
    assert listing(tmp_path) == before


def test_resume_and_a_device_on_the_command_line(tmp_path):
    (tmp_path / "spec.yaml").write_text(SPEC)
    run = ("run", "spec.yaml", "--executor", "inline", "--device", "cpu")
    assert sweep(*run, cwd=tmp_path).code == 0
    next((tmp_path / "results" / "epochs").rglob("*.parquet")).unlink()
    ended = sweep("resume", "--executor", "inline", cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert "2 runs trained" in ended.err


def test_status_counts_runs(root):
    ended = sweep("status", "--root", root)
    assert ended.code == 0
    assert re.search(r"base,epochs=1 .* 3 +3 +0 +0 +0$", ended.out, re.MULTILINE)
    assert "no driver" in ended.out
    assert re.match("unnamed sweep, [0-9a-f]{8}\n", ended.out)


def test_status_keeps_whole_names_in_80_columns(tmp_path, monkeypatch):
    grid = {"epochs": 1, "learning_rate": [0.0123, 0.0124], "weight_decay": [0.0001], "output_bias": [0.5]}
    run_inline(tmp_path / "r", small_spec(variants="base", seeds="0:1", set=grid))
    monkeypatch.setenv("COLUMNS", "80")
    lines = sweep("status", "--root", tmp_path / "r").out.splitlines()
    assert max(map(len, lines)) <= 80
    name_columns = "".join(line[:30].split("  ")[0].strip() for line in lines)
    for value in ("0.0123", "0.0124"):
        assert f"learning_rate={value}" in name_columns


def test_an_interrupted_sweep_says_how_far_it_is_and_resumes(tmp_path, monkeypatch):
    (tmp_path / "spec.yaml").write_text(SPEC.replace("epochs: 1", "epochs: 4"))
    run = ("run", "spec.yaml", "--executor", "inline", "--checkpoint-seconds", 0)

    def interrupt(display, shard, message):
        if getattr(message, "epoch", 0) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("sweep.driver.progress.Display.message", interrupt)
        ended = sweep(*run, cwd=tmp_path)
    assert ended.code == 130
    assert "2 runs partly trained, 75% done; a resume continues them" in ended.err
    assert "To continue: sweep" in ended.err
    assert "2 runs partly trained, 75% done" in sweep("status", cwd=tmp_path).out
    assert sweep(*run, cwd=tmp_path).code == 0
    assert "partly trained" not in sweep("status", cwd=tmp_path).out


def test_compare_answers_without_a_root(tmp_path):
    ended = sweep("compare", "--misses", 74, "--variant", "base", cwd=tmp_path)
    assert (ended.code, listing(tmp_path)) == (0, {})
    assert ended.out.startswith(
        "74 misses with base in 2,007 test digits of mnist: as expected for a new seed."
    )
    notes = ended.err.splitlines()
    assert notes[0] == "results has no run of base to compare with."
    assert notes[1].startswith("Assumed: the 2,007 test digits of mnist. --dataset selects ")
    assert notes[2].startswith("Source: the reference distribution, trained ")
    small = sweep("compare", "--misses", 40, "--variant", "base", "--digits", 1080, cwd=tmp_path)
    assert "in 1,080 test digits of mnist5k" in small.out


def test_tables_and_plots_of_the_reference_distribution(tmp_path):
    chosen = ("--reference", "--variants", "base,dropout", "--recipe", "flax", "--dataset", "mnist")
    table = sweep("table", "published", *chosen, cwd=tmp_path)
    assert (table.code, table.err) == (0, "")
    assert "Source: the reference distribution" in table.out
    plot = sweep("plot", "raincloud", *chosen, "--out", "r.svg", cwd=tmp_path)
    assert plot.code == 0
    assert "reference distribution" in (tmp_path / "r.svg").read_text()
