"""Try: the model's answers for the user's own photographs."""
