"""Browse a scored catalog."""
