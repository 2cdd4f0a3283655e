"""The files of a root. May import `sweep.spec`, `sweep.errors`, `data.options`, `model.identity`, `model.variants`;
never JAX or Ray.

`docs/storage-format.md` specifies the format. `Store` (store.py) is the entry point.
"""
