"""Pictures that show no product, for training and validating the answer "no product recognized"."""

from training.sources.negatives.making import make_negatives

__all__ = ["make_negatives"]
