"""Copies of finished runs for other programs: CSV files, MLflow, TensorBoard and Weights & Biases.

`runs.py` describes the exported runs, `registry.py` lists the trackers, and each other file writes to one tracker.
A tracker's library is an optional dependency and is imported only by its own file.
"""
