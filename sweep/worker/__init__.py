"""Train one shard. May import `model`, `data.dataset`, `sweep.spec`, `sweep.store.schema`; neither Ray nor files."""
