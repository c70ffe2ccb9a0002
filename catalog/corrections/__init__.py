"""Review a scored catalog: queues of products to check, and training data and refits from corrections."""
