"""The colors of a catalog's products: measured on their photographs, kept beside the scored catalog, searched."""
