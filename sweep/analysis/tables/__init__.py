"""The tables: `registry.py` lists them, `table.py` makes them by name, and one file defines each."""
