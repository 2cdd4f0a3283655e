"""What libtpu, the TPU compiler, says of the engines' programs. Start reading at `__main__.py`."""
