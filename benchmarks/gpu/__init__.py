"""What XLA compiles `vmap` to on a GPU. Start reading at `__main__.py`."""
