"""The commands as a user types them: wrong input gives one line and exit code 2, and changes nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sweep.small import run_inline, small_spec


def sweep(*arguments, cwd=None, **environment):
    return subprocess.run(
        [sys.executable, "-m", "sweep", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=os.environ | environment,
        check=False,
        timeout=120,
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    path = tmp_path_factory.mktemp("cli") / "results"
    run_inline(path, small_spec(seeds="0:3", set={"epochs": 1}))
    return path


def listing(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


WRONG = {
    "unknown variant": (["run", "--variants", "bas"], "did you mean 'base'"),
    "unknown recipe": (["run", "--recipe", "karpaty"], "did you mean 'karpathy'"),
    "bad seed range": (["run", "--seeds", "5:2"], "empty range"),
    "seeds in words": (["run", "--seeds", "ten"], "0:64"),
    "negative learning rate": (["run", "--set", "learning_rate=-1"], "out of range"),
    "unknown hyper-parameter": (["run", "--set", "lerning_rate=1"], "did you mean 'learning_rate'"),
    "a set without values": (["run", "--set", "learning_rate"], "learning_rate=0.01,0.03"),
    "no epochs": (["run", "--epochs", "0"], "epochs = 0"),
    "unknown engine": (["run", "--engine", "lanse"], "did you mean 'lanes'"),
    "unknown data set": (["run", "--dataset", "mnits"], "did you mean 'mnist'"),
    "unknown preset": (["run", "quickstrat"], "did you mean 'quickstart'"),
    "missing spec": (["run", "nowhere.yaml"], "No such file"),
    "broken YAML": (["run", "broken.yaml"], "broken YAML in line"),
    "unknown key": (["run", "key.yaml"], "unknown key 'variant'"),
    "a list for a spec": (["run", "list.yaml"], "expected a mapping"),
    "a width of zero": (["run", "--shard-width", "0"], "shard_width"),
    "unknown option": (["run", "--sedes", "3"], "No such option"),
    "unknown executor": (["run", "--executor", "slurm"], "slurm"),
    "unknown command": (["runn"], "No such command"),
    "a root that is a file": (["run", "--root", "list.yaml"], "is a file"),
    "a root of other things": (["run", "--root", "."], "not a sweep's"),
    "a root that cannot be made": (
        ["run", "--executor", "inline", "--root", "/proc/results"],
        "cannot be written",
    ),
    "status of nothing": (["status", "--root", "nothing"], "no sweep was ever run here"),
    "table of nothing": (["table", "--root", "nothing"], "no sweep was ever run here"),
    "a replay never printed": (["replay", "adamw"], "choose from"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("wrong")
    (path / "broken.yaml").write_text("variants: [base\nseeds: 3")
    (path / "key.yaml").write_text("variant: base")
    (path / "list.yaml").write_text("- base")
    return path


@pytest.mark.parametrize(("arguments", "message"), WRONG.values(), ids=WRONG)
def test_wrong_input_gives_one_line_and_exit_code_2(folder, arguments, message):
    before = listing(folder)
    run = sweep(*arguments, cwd=folder)
    assert run.returncode == 2, run.stderr
    assert message in " ".join(run.stderr.split())
    assert "Traceback" not in run.stderr
    if "No such" not in message and message != "slurm":  # those are the option parser's, in a box
        assert len(run.stderr.strip().splitlines()) == 1
    assert listing(folder) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["table", "sumary"], "did you mean 'summary'"),
        (["table", "--variants", "bse"], "bse"),
        (["table", "--seeds", "100:200"], "seeds 100:200"),
        (["table", "--format", "parquet"], "--out"),
        (["table", "wide", "--noise"], "table 'wide' has no option --noise: it has --split, --epoch"),
        (["table", "digits", "--epoch", "1"], "table 'digits' has no option --epoch"),
        (["table", "--epoch", "9"], "no run is left"),
        (["plot", "galery"], "did you mean 'gallery'"),
        (["plot", "ecdf", "--out", "ecdf.gif"], "ends in .png, .svg, .pdf"),
        (["plot", "gallery", "--split", "train"], "plot 'gallery' has no option --split"),
        (["plot", "ecdf", "--recipe", "karpathy"], "no finished run has recipe 'karpathy'"),
        (["compare", "--misses", "3", "--variant", "bas,epochs=1"], "did you mean 'base,epochs=1'"),
        (["compare", "--misses", "61", "--variant", "base,epochs=1"], "from 0 to 60"),
        (["report", "--variants", "softmax"], "no finished run has variant 'softmax'"),
    ],
)
def test_wrong_requests_of_results(root, arguments, message):
    before = listing(root)
    run = sweep(*arguments, "--root", root)
    assert run.returncode == 2, run.stderr
    assert message in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1
    assert listing(root) == before


def test_a_truncated_file_in_the_root(root, tmp_path):
    os.system(f"cp -r '{root}' '{tmp_path}/results'")
    path = next((tmp_path / "results" / "epochs").rglob("*.parquet"))
    path.write_bytes(path.read_bytes()[:200])
    before = listing(tmp_path)
    for command in (["table"], ["status"], ["run", "--seeds", "0:9", "--executor", "inline"]):
        run = sweep(*command, "--root", tmp_path / "results")
        assert run.returncode == 2, run.stderr
        assert path.name in run.stderr
        assert len(run.stderr.strip().splitlines()) == 1
    assert listing(tmp_path) == before


def test_missing_digits_without_a_network_are_explained(tmp_path):
    run = sweep(
        "run",
        "--dataset",
        "usps",
        "--manual-dir",
        tmp_path,
        "--root",
        tmp_path / "r",
        TFDS_DATA_DIR=str(tmp_path),
        LECUN1989_MANUAL_DIR=str(tmp_path),
    )
    if run.returncode == 0:
        pytest.skip("the network served the digits")
    assert run.returncode == 2
    assert "zip.train.gz" in run.stderr
    assert not (tmp_path / "r").exists()


def test_dry_run_writes_nothing(tmp_path):
    run = sweep("run", "quickstart", "--dry-run", "--root", tmp_path / "r")
    assert run.returncode == 0
    assert "80 of 80 runs would be trained" in run.stdout
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("name", ["summary", "wide", "curve"])
@pytest.mark.parametrize("format", ["text", "csv", "markdown", "json"])
def test_tables_in_every_format(root, name, format):
    run = sweep("table", name, "--format", format, "--root", root)
    assert run.returncode == 0, run.stderr
    assert "base" in run.stdout


@pytest.mark.parametrize(
    "name", ["digits", "noise", "churn", "ensemble", "fixes", "two-way", "pairs", "published"]
)
def test_tables_of_the_last_epoch(root, name):
    run = sweep("table", name, "--root", root)
    if name == "published":  # no number was published of an overridden variant
        assert run.returncode == 2
        return
    assert run.returncode == 0, run.stderr
    assert "dropout,epochs=1" in run.stdout


def test_names_with_overrides_are_chosen_by_their_own_names(root):
    run = sweep("table", "wide", "--format", "csv", "--variants", "base,epochs=1", "--root", root)
    assert run.returncode == 0, run.stderr
    assert "base,epochs=1" in run.stdout
    assert "dropout" not in run.stdout


def test_pictures_and_a_comparison(root, tmp_path):
    for name in ("ecdf", "curves", "gallery"):
        assert sweep("plot", name, "--root", root, cwd=tmp_path).stdout.strip() == f"{name}.png"
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    run = sweep(
        *("compare", "--misses", 20, "--variant", "base,epochs=1", "--out", "place.svg", "--root", root),
        cwd=tmp_path,
    )
    assert "20 misses with base,epochs=1 on mnist5k" in run.stdout
    assert "<svg" in (tmp_path / "place.svg").read_text()


def test_the_report_of_a_store_is_whole(root, tmp_path):
    run = sweep("report", "--root", root, "--out", tmp_path / "r.html")
    assert run.returncode == 0, run.stderr
    assert not run.stderr
    page = (tmp_path / "r.html").read_text()
    assert 'id="plot-gallery"' in page
    assert "PROVISIONAL" not in page


def test_a_finished_root_is_left_alone(tmp_path):
    (tmp_path / "spec.yaml").write_text(
        "variants: base\nseeds: 0:2\nset: {epochs: 1}\ndataset: {name: mnist5k, n_train: 120, n_test: 60}"
    )
    first = sweep("run", "spec.yaml", "--executor", "inline", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert "2 runs trained" in first.stderr
    before = listing(tmp_path)
    again = sweep("run", "spec.yaml", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "nothing to train: all 2 runs are there already" in again.stderr
    assert listing(tmp_path) == before


def test_status_counts_runs(root):
    run = sweep("status", "--root", root)
    assert run.returncode == 0
    assert "no driver is at work here" in run.stdout
