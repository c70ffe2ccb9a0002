"""Labeled photographs as batches: folders, names and rules of labels, decoding, augmentation, order."""
