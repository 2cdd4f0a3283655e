"""The packages `data`, `model` and `sweep` beside a user's own files of these names."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
SWEEP = Path(sys.executable).with_name("sweep")
SMALL_RUN = ("run", "--variants", "base", "--seeds", "0:2", "--epochs", "1", "--workers", "1")


def start(*command, cwd):
    """Run a command in a directory, with this tree on the path after the directory, as in an installation."""
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def beside_data(tmp_path):
    """A directory with a folder of data files, as many projects have one."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "table.csv").write_text("a,b\n")
    return tmp_path


def readme_snippet(short=True):
    """The README's Python example; short with two of the five variants."""
    (snippet,) = re.findall(r"^```python\n(.*?)^```$", (PROJECT / "README.md").read_text(), re.M | re.S)
    shorter = snippet.replace('seeds="0:4"', 'seeds="0:2", variants="base,softmax"')
    assert shorter != snippet
    return shorter if short else snippet


def test_module_runs_beside_a_folder_data(beside_data):
    shown = start(sys.executable, "-m", "sweep", "presets", cwd=beside_data)
    assert shown.returncode == 0, shown.stderr
    assert "quickstart" in shown.stdout


def test_readme_snippet_trains_on_ray_beside_a_folder_data(beside_data):
    (beside_data / "script.py").write_text(readme_snippet() + "print(len(summary), 'variants')\n")
    shown = start(sys.executable, "script.py", cwd=beside_data)
    assert shown.returncode == 0, shown.stderr
    assert "2 variants" in shown.stdout
    assert (beside_data / "results" / "epochs").is_dir()


@pytest.mark.slow
def test_readme_snippet_runs_in_a_notebook_beside_a_folder_data(beside_data, monkeypatch):
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [
        nbformat.v4.new_code_cell(code) for code in (readme_snippet(short=False), "len(summary)")
    ]
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(beside_data)}}
    ).execute()
    assert notebook.cells[-1].outputs[0].data["text/plain"] == "5"


@pytest.mark.parametrize("file", ["model.py", "model/__init__.py", "data.py", "data/__init__.py"])
def test_one_line_names_the_module_that_hides_a_package(file, tmp_path):
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.touch()
    package = Path(file).parts[0].removesuffix(".py")
    line = (
        f"{path} hides the package '{package}' of lecun1989-sweep: "
        "rename it, or start Python in another directory"
    )

    as_module = start(sys.executable, "-m", "sweep", "presets", cwd=tmp_path)
    assert (as_module.returncode, as_module.stdout, as_module.stderr) == (2, "", f"sweep: {line}\n")

    (tmp_path / "script.py").write_text("from sweep import Store\n")
    as_script = start(sys.executable, "script.py", cwd=tmp_path)
    assert as_script.stderr.splitlines()[-1] == f"ImportError: {line}"


def test_an_already_imported_module_is_named_too(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "model.py").touch()
    code = "import sys; sys.path.insert(0, 'elsewhere'); import model; sys.path.pop(0); import sweep"
    shown = start(sys.executable, "-c", code, cwd=tmp_path)
    assert re.search(r"^ImportError: .*elsewhere/model\.py hides the package 'model'", shown.stderr, re.M)


def test_python_names_a_file_sweep_py_that_hides_the_package(tmp_path):
    """No module of this project is imported; Python's own message names the file."""
    (tmp_path / "sweep.py").write_text("print('another program')\n")
    assert start(sys.executable, "-m", "sweep", "presets", cwd=tmp_path).stdout == "another program\n"
    shown = start(sys.executable, "-c", "from sweep import Store", cwd=tmp_path)
    assert str(tmp_path / "sweep.py") in shown.stderr.splitlines()[-1]


@pytest.mark.skipif(not SWEEP.exists(), reason="the command `sweep` is not installed here")
def test_the_command_and_its_ray_workers_run_beside_files_of_these_names(tmp_path):
    for name in ("data", "model", "sweep"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported by mistake')\n")
    shown = start(SWEEP, *SMALL_RUN, cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "2 runs trained" in shown.stderr


@pytest.mark.slow
@pytest.mark.parametrize("editable", [True, False])
def test_an_installation_works_beside_a_folder_data(editable, beside_data):
    """The layout of `pip install`, without this tree on PYTHONPATH."""
    tree = beside_data / "tree"
    ignored = shutil.ignore_patterns(".*", "tests", "build", "*.egg-info", "__pycache__")
    shutil.copytree(PROJECT, tree, ignore=ignored)
    environment = beside_data / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    (dependencies,) = Path(sys.prefix).glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(f"{dependencies}\n")
    python = environment / "bin" / "python"
    options = ["--quiet", "--no-deps", *(["--editable"] if editable else [])]
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, "install", *options, tree], check=True, cwd=tree
    )
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    code = "import data, model, sweep; from sweep import Store; print(data.__file__, model.__file__)"
    for command in ([python, "-m", "sweep", "presets"], [python, "-c", code]):
        shown = subprocess.run(
            command, cwd=beside_data, env=clean, capture_output=True, text=True, check=False
        )
        assert shown.returncode == 0, shown.stderr
    found = [Path(path) for path in shown.stdout.split()]
    home = tree if editable else packages
    assert found == [home / "data" / "__init__.py", home / "model" / "__init__.py"]
    assert (home / "model" / "engines" / "lanes" / "kernel.so").exists()
    if not editable:
        assert files_in(packages) >= files_in(PROJECT)


def files_in(folder):
    """Source and data files of the three packages, by relative path."""
    suffixes = {".py", ".typed", ".cc", ".h", ".csv", ".html", ".parquet", ".yaml"}
    files = (path for package in ("data", "model", "sweep") for path in (folder / package).rglob("*"))
    return {path.relative_to(folder) for path in files if path.suffix in suffixes}


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_commands_of_the_readme_and_of_ci_are_targets_of_the_makefile():
    documents = [PROJECT / name for name in ("README.md", ".ci/run", ".pre-commit-config.yaml")]
    commands = set(
        re.findall(r"(?:^|`|: )(make [a-z]+)", "\n".join(path.read_text() for path in documents), re.M)
    )
    assert "make test" in commands
    for command in commands:
        shown = subprocess.run(
            [*command.split(), "-n"], cwd=PROJECT, capture_output=True, text=True, check=False
        )
        assert shown.returncode == 0, shown.stderr
