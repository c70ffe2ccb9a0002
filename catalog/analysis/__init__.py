"""Trends of a catalog and comparisons of two: sums, statistics, tables and reports."""
