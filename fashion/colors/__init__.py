"""The colors of the product in a photograph: measured in CIELAB, with shares and names."""
