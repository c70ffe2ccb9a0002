"""How much may be tried at a time."""

MAX_FILES = 500  # photographs
SIDE_BY_SIDE = 4  # requests that a browser sends at the same time; the server's queue holds 100
MAX_ROWS = 100_000  # attributes of one download; 500 photographs have some 10,000
