"""Estimates of libtpu, the TPU compiler, for the engines' programs. Start reading at `__main__.py`."""
