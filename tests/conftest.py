"""Configure the numerics, as in every process of the project, before any test imports JAX."""

import os

from model.numerics import configure

configure(platform="cpu", threads=1)
os.environ["RAY_AUTH_MODE"] = "disabled"
os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"
