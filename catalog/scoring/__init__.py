"""Score a source of products into a catalog: reading sources, workers, writing parts, resuming."""
