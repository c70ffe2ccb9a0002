"""Photographs of the user's own: what the model says of them."""
