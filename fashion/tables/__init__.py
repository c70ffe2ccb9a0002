"""Read product tables in many file formats, and recognize their columns."""
