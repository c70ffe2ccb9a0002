"""Draws photograph-like pictures of garments with their labels, by numpy and Pillow alone."""

from training.sources.drawing.photograph import draw

__all__ = ["draw"]
