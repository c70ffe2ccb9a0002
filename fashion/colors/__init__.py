"""The colors of what a photograph shows: measured in CIELAB, with shares and names."""
