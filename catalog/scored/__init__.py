"""Read a scored catalog on disk, with corrections applied."""
