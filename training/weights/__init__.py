"""Weights read from files of any origin, and written safely."""
