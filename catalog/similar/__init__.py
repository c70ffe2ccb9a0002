"""Query an open index: similar products, replacements, recommendations and duplicates."""
