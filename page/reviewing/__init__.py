"""Review: people check and correct the answers of a scored catalog."""
