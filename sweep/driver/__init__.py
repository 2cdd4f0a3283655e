"""Run sweeps: the only package that writes to a root. May import executors, store and spec; neither JAX nor Ray."""
