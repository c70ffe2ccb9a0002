"""A scored catalog in the words and columns of shop systems."""
