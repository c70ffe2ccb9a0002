"""A source of products -> a scored catalog: sources, workers, parts, resuming."""
