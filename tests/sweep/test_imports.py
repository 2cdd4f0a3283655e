"""Import rules: by package in the sources, and for single modules in fresh interpreters."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

HERE = Path(__file__).parents[2]

# What the modules of a package may import: names of packages or modules of this project, also inside functions. The
# order is that of the layers: a package imports only packages listed above it.
PROJECT = {
    "model": set(),
    "data": {"model.identity", "model.names"},
    "sweep.errors": set(),
    "sweep.network": {"sweep.errors"},
    "sweep.settings": set(),
    "sweep.stop": set(),
    "sweep.text": set(),
    "sweep.provenance": {"sweep.settings"},
    "sweep.spec": {"data", "model", "sweep.errors"},
    "sweep.store": {"data", "model", "sweep.errors", "sweep.spec"},
    "sweep.messages": {"sweep.spec", "sweep.store.schema"},
    "sweep.worker": {
        "data.dataset", "model", "sweep.messages", "sweep.provenance", "sweep.spec", "sweep.store.checkpoint",
        "sweep.store.errors", "sweep.store.schema",
    },
    "sweep.executors": {
        "data.dataset", "model", "sweep.errors", "sweep.messages", "sweep.network", "sweep.settings", "sweep.spec",
        "sweep.stop", "sweep.worker",
    },
    "sweep.driver": {
        "data", "model", "sweep.errors", "sweep.executors", "sweep.messages", "sweep.settings", "sweep.spec",
        "sweep.stop", "sweep.store", "sweep.text",
    },
    "sweep.analysis": {"data", "model", "sweep.errors", "sweep.spec", "sweep.store"},
    "sweep.export": {
        "model", "sweep.analysis", "sweep.errors", "sweep.network", "sweep.spec", "sweep.store",
    },
    "sweep.replay": {"data", "model"},
    "sweep.cluster": {
        "model", "sweep.errors", "sweep.network", "sweep.provenance", "sweep.settings", "sweep.spec", "sweep.store",
    },
    "sweep": {"sweep"},
    "sweep.cli": {"data", "model", "sweep"},
    "sweep.__main__": {"sweep.cli"},
}  # fmt: skip

# The packages that may import these libraries, also inside functions.
LIBRARIES = {
    "jax": {"model", "data", "sweep.worker", "sweep.replay", "sweep.cli"},
    "ray": {"sweep.executors", "sweep.cluster"},
    "pyarrow": {"sweep.store", "sweep.messages", "sweep.worker"},
    "matplotlib": {"sweep.analysis"},
    "tensorflow_datasets": {"data"},
    "duckdb": {"sweep.analysis"},
    "mlflow": {"sweep.export"},
    "tensorboard": {"sweep.export"},
    "wandb": {"sweep.export"},
}

LIGHT = {
    "model.variants": {"jax", "ray", "pyarrow", "numpy", "pandas"},
    "data.options": {"jax", "ray", "pyarrow", "numpy", "tensorflow_datasets"},
    "sweep.spec.spec": {"jax", "ray", "pyarrow"},
    "sweep.spec.plan": {"jax", "ray", "pyarrow"},
    "sweep.store.store": {"jax", "ray"},
    "sweep.driver.driver": {"jax", "ray"},
    "sweep.store.status": {"jax", "ray"},
    "sweep.cli.main": {
        "jax",
        "ray",
        "pyarrow",
        "pandas",
        "pydantic",
        "duckdb",
        "mlflow",
        "wandb",
        "tensorboard",
    },
    "sweep.analysis.tables.table": {"jax", "ray", "data.mnist", "matplotlib"},
    "sweep.analysis.tables.registry": {"numpy", "pandas", "pyarrow"},
    "sweep.analysis.plots.registry": {"numpy", "pandas", "matplotlib"},
    "sweep.export.registry": {"numpy", "pandas", "pyarrow"},
    "sweep.export.tracker": {"jax", "ray", "mlflow", "wandb", "tensorboard"},
    "sweep.analysis.sql": {"jax", "ray", "duckdb"},
    "sweep.worker.worker": {"ray"},
    "sweep.driver.session": {"jax", "ray"},
    "sweep.executors.choose": {"jax", "ray"},
    "sweep.executors.ray": {"jax"},
}


@pytest.mark.parametrize("module", LIGHT)
def test_importing_a_leaf_loads_only_that_leaf(module):
    program = f"import sys, {module}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not LIGHT[module] & set(run.stdout.split())


@pytest.mark.parametrize("command", [["--help"], ["table"], ["status"]])
def test_reading_commands_load_neither_jax_nor_ray(command, tmp_path):
    from tests.sweep.small import run_inline, small_spec

    root = tmp_path / "results"
    run_inline(root, small_spec(variants="base", seeds="0:2", set={"epochs": 1}))
    arguments = command if command == ["--help"] else [*command, "--root", str(root)]
    program = (
        "import sys\nfrom sweep.cli.main import main\n"
        f"sys.argv = ['sweep', *{arguments!r}]\n"
        "try:\n    main()\nfinally:\n    print('LOADED', *sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert not {"jax", "ray"} & set(run.stdout.rpartition("LOADED")[2].split())


def test_compare_with_the_reference_distribution_loads_no_slow_library(tmp_path):
    program = (
        "import sys\nfrom sweep.cli.main import main\n"
        "sys.argv = ['sweep', 'compare', '--misses', '74', '--variant', 'base']\n"
        "try:\n    main()\nfinally:\n    print('LOADED', *sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    slow = {"jax", "ray", "matplotlib", "statsmodels", "tensorflow_datasets", "mlxtend"}
    assert not slow & set(run.stdout.rpartition("LOADED")[2].split())


def sources():
    """Module name, package of `PROJECT` and syntax tree of every source file."""
    for path in sorted(p for top in ("data", "model", "sweep") for p in (HERE / top).rglob("*.py")):
        module = ".".join(path.relative_to(HERE).with_suffix("").parts).removesuffix(".__init__")
        package = max((p for p in PROJECT if f"{module}.".startswith(f"{p}.")), key=len)
        yield module, package, ast.parse(path.read_text())


def imports(tree):
    """Every imported name of a module, also inside functions: "numpy", "sweep.spec.shard.Shard"."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def below(name, packages):
    return any(f"{name}.".startswith(f"{package}.") for package in packages)


def test_every_package_imports_only_what_the_table_allows():
    wrong = [
        f"{module} imports {name}"
        for module, package, tree in sources()
        for name in imports(tree)
        if below(name, ("data", "model", "sweep")) and not below(name, PROJECT[package] | {package})
    ]
    assert not wrong


def test_libraries_are_imported_only_by_the_packages_that_use_them():
    wrong = [
        f"{module} imports {name}"
        for module, package, tree in sources()
        for name in imports(tree)
        if package not in LIBRARIES.get(name.partition(".")[0], {package})
    ]
    assert not wrong


def test_the_table_has_no_upward_import():
    order = list(PROJECT)
    for package, allowed in PROJECT.items():
        for name in allowed - {"sweep"}:
            above = max((p for p in PROJECT if f"{name}.".startswith(f"{p}.")), key=len)
            assert order.index(above) < order.index(package), f"{package} imports {above}"


def test_no_module_imports_itself_through_others():
    modules = {module: tree for module, _, tree in sources()}
    graph = {}
    for module, tree in modules.items():
        names = [
            n for statement in tree.body if not isinstance(statement, ast.If) for n in imports(statement)
        ]
        found = {max((m for m in modules if below(n, {m})), key=len, default=None) for n in names}
        graph[module] = found - {None, module}
    TopologicalSorter(graph).prepare()  # raises CycleError
