"""One training: network, loss, metrics, optimizers, schedules, progress, ways to stop, what it leaves on disk."""
