"""The plots: `registry.py` lists them, `style.py` defines their style, the other files draw them."""
