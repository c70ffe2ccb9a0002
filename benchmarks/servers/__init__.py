"""The servers that `benchmarks.serving` compares: this project's, and typical ones with the same model."""
