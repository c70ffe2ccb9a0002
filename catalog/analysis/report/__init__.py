"""The folder that trends and comparisons write: a page, plots, tables and JSON."""
