"""Run shards, on Ray or in this process. May import worker, spec and messages; not the store."""
