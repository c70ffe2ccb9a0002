"""Benchmarks: each command writes its section of a page in docs/."""
