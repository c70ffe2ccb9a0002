"""Draws photograph-like pictures of garments with their labels, with numpy and Pillow only."""

from training.sources.drawing.photograph import draw

__all__ = ["draw"]
