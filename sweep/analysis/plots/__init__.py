"""The plots: `registry.py` names them, `style.py` gives their look, the other files draw them."""
