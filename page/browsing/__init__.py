"""A scored catalog, looked through in a browser."""
