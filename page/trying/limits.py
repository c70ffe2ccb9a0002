"""How much may be tried at a time."""

MAX_FILES = 500  # photographs
SIDE_BY_SIDE = 4  # requests that a browser sends at the same time; the server's queue holds 100
MAX_ENTRIES = 10 * MAX_FILES  # photographs of one download, also those that could not be used
MAX_ROWS = 100_000  # attributes and colors of one download; 500 photographs have some 10,000
