"""The scored catalog on disk."""
