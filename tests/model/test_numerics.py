"""Numerical settings of a process: a known wrong sum of jaxlib 0.10.2, and the settings that avoid it."""

import os
import platform
import subprocess
import sys

import jax
import pytest

from model import numerics

# github.com/jax-ml/jax/issues/39103: a vmapped mat-vec with a reduction after it. The last of these rows is 2¹⁵.
WRONG_SUM = """
import jax, jax.numpy as jnp
rows = jnp.zeros((2**15 + 1, 3)).at[:, 0].set(jnp.arange(2.0**15 + 1))
squares = jax.jit(jax.vmap(lambda row: jnp.sum((jnp.eye(3) @ row) ** 2)))(rows)
print(int(squares[-1]))
"""


def python(code: str, **environment: str) -> str:
    plain = {
        k: v for k, v in os.environ.items() if k not in ("XLA_FLAGS", "JAX_DEFAULT_MATMUL_PRECISION", "NPROC")
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=plain | environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_the_sum_is_correct_with_the_settings() -> None:
    assert python("from model.numerics import configure; configure('cpu')\n" + WRONG_SUM) == str(2**30)


@pytest.mark.skipif(
    jax.__version_info__ != (0, 10, 2) or platform.machine() != "x86_64",
    reason="only known of jaxlib 0.10.2 on x86",
)
def test_the_sum_is_wrong_without_the_settings() -> None:
    """Otherwise the test above proves nothing. The wrong value depends on the processor."""
    assert python(WRONG_SUM, JAX_PLATFORMS="cpu") != str(2**30)


def test_this_process_uses_the_settings() -> None:
    assert numerics.NO_YNN_FUSION in os.environ["XLA_FLAGS"].split()
    assert jax.config.jax_default_matmul_precision == "highest"
    assert jax.config.jax_threefry_partitionable
    assert jax.default_backend() == "cpu"


REPORT = "import os; print(os.environ['XLA_FLAGS'], os.environ.get('NPROC'), os.environ.get('JAX_PLATFORMS'))"


def test_user_flags_are_kept_and_the_faulty_path_stays_disabled() -> None:
    configured = (
        "from model.numerics import configure; configure('cpu', threads=2); configure('cpu', threads=2)\n"
    )
    printed = python(
        configured + REPORT,
        XLA_FLAGS="--xla_dump_to=somewhere --xla_cpu_experimental_ynn_fusion_type=dot",
    )
    assert printed == "--xla_dump_to=somewhere --xla_cpu_experimental_ynn_fusion_type= 2 cpu"


def test_one_thread_is_one_thread_in_xla() -> None:
    printed = python(
        "from model.numerics import configure; configure(threads=1)\n" + REPORT, JAX_PLATFORMS=""
    )
    assert printed == "--xla_cpu_experimental_ynn_fusion_type= --xla_cpu_multi_thread_eigen=false 1"


def test_importing_jax_too_early_is_an_error() -> None:
    code = """
import jax
from model.numerics import configure
try:
    configure()
except RuntimeError as error:
    print(error)
"""
    assert "JAX was imported before its numerics were set" in python(code)
