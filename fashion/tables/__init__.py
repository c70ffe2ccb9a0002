"""Product tables as they come: files, and what their columns are called."""
