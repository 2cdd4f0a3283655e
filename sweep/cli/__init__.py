"""The command `sweep`. Every command imports what it needs when it runs, so that `sweep --help` is fast."""
