"""The web page: try photographs, review and browse a scored catalog. Run as `python -m page BUNDLE [SCORED]`."""
