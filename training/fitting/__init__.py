"""A training run: network, loss, metrics, optimizers, schedules, progress, early stopping and files on disk."""
