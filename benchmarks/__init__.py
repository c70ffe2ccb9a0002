"""Measurements: each module is a command that writes its section of docs/benchmarks.md."""
