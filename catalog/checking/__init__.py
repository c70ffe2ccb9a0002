"""Faults of a catalog's photographs: measured, told in words, drawn."""
