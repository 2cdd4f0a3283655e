"""The tables: `registry.py` names them, `table.py` makes them, one file defines each."""
