"""Client of a Ray cluster: file checks, jobs, fetch. May import sweep.spec and sweep.store."""
