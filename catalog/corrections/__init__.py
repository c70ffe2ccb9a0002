"""Review of a scored catalog: what people say of its products, and what follows from it."""
