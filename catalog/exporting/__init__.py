"""Export a scored catalog in the formats and taxonomies of shop systems."""
