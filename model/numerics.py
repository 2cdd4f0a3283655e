"""Numerical settings, set once per process before JAX is imported. Standard library only.

The results are correct only with two settings:

- jaxlib's CPU back end gives silently wrong sums for some vmapped mat-vec + reduction fusions
  (github.com/jax-ml/jax/issues/39103). An empty ``--xla_cpu_experimental_ynn_fusion_type`` disables the
  faulty path; every process needs it.
- GPUs and TPUs multiply in TF32 or bfloat16 by default; the matmul precision "highest" selects float32.
"""

import os
import sys

NO_YNN_FUSION = "--xla_cpu_experimental_ynn_fusion_type="


def configure(platform: str | None = None, threads: int | None = None) -> None:
    """Set the environment that JAX reads when it is first imported.

    Args:
      platform: "cpu", "cuda" or "tpu" to open only that back end; None leaves the choice to JAX.
      threads: cores that XLA's CPU back end may use; None leaves the choice to XLA.

    Raises:
      RuntimeError: JAX was already imported without the flag, so its results may be wrong.
    """
    flags = os.environ.get("XLA_FLAGS", "").split()
    if NO_YNN_FUSION not in flags:
        if "jax" in sys.modules:
            raise RuntimeError(
                f"JAX was imported before its numerics were set: import this package first, "
                f"or start Python with XLA_FLAGS='{NO_YNN_FUSION}'"
            )
        # The last occurrence of a flag takes effect, so the user's flags are first.
        flags = [f for f in flags if not f.startswith(NO_YNN_FUSION)] + [NO_YNN_FUSION]
    if threads is not None:
        # A process always uses the same number of cores, so that the order of sums does not change.
        os.environ["NPROC"] = str(threads)
        if threads == 1 and "--xla_cpu_multi_thread_eigen=false" not in flags:
            flags.append("--xla_cpu_multi_thread_eigen=false")
    os.environ["XLA_FLAGS"] = " ".join(flags)
    os.environ["JAX_DEFAULT_MATMUL_PRECISION"] = "highest"
    os.environ["JAX_THREEFRY_PARTITIONABLE"] = (
        "true"  # draw i depends only on (key, i), not on the number of draws
    )
    if platform is not None:
        os.environ["JAX_PLATFORMS"] = platform
