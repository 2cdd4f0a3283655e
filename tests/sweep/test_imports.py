"""What may import what, checked in fresh interpreters."""

import subprocess
import sys

import pytest

LIGHT = {
    "model.variants": {"jax", "ray", "pyarrow", "numpy", "pandas"},
    "data.options": {"jax", "ray", "pyarrow", "numpy", "tensorflow_datasets"},
    "sweep.spec.spec": {"jax", "ray", "pyarrow"},
    "sweep.spec.plan": {"jax", "ray", "pyarrow"},
    "sweep.store.store": {"jax", "ray"},
    "sweep.driver.driver": {"jax", "ray"},
    "sweep.store.status": {"jax", "ray"},
    "sweep.cli.main": {"jax", "ray", "pyarrow", "pandas", "pydantic"},
    "sweep.analysis.tables.table": {"jax", "ray", "data.mnist", "matplotlib"},
    "sweep.analysis.tables.registry": {"numpy", "pandas", "pyarrow"},
    "sweep.analysis.plots.registry": {"numpy", "pandas", "matplotlib"},
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
