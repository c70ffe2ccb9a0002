"""Limits of the Try page."""

MAX_FILES = 500  # photographs
MAX_CONCURRENT = 4  # concurrent requests of a browser; the server's queue holds 100
MAX_ENTRIES = 10 * MAX_FILES  # photographs of one download, including those that could not be used
MAX_ROWS = 100_000  # attributes and colors of one download; 500 photographs have some 10,000
