"""Environment variables that Ray reads when it is imported or started. Standard library only."""

import os


def set_ray_environment(address: str | None) -> None:
    """Set Ray's variables for this process and its children. Call it before the first import of Ray.

    The variables stay set, because Ray's native code and its child processes read them at any time.

    Args:
      address: of a cluster; None for a local Ray.
    """
    # Under `uv run` Ray would otherwise send the driver's environment to every worker.
    os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"
    # Clusters use Ray's token. A local Ray listens on the loopback interface only and needs none.
    os.environ.setdefault("RAY_AUTH_MODE", "disabled" if address is None else "token")
    # Ray's default of 30 s is too short on a busy machine.
    os.environ.setdefault("RAY_raylet_start_wait_time_s", "120")
