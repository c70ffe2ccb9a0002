"""The servers that `benchmarks.serving` compares: this project's, and the same model in others as people write them."""
