"""Reports of trends and comparisons: a folder with a page, plots, tables and JSON."""
