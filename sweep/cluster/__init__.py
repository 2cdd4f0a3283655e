"""Sweeps on a Ray cluster: its file checked, sweeps submitted as Ray jobs, watched and fetched."""
