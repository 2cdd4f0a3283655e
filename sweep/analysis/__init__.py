"""From a store to tables, figures and the report. Imports `spec`, `store`, `data` and `model.variants` only.

`names.py` and the two `registry.py` files import only the standard library, so that the command line can list
tables and plots without loading pandas or Matplotlib.
"""
