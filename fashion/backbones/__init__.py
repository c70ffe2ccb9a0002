"""Networks: their common interface (`contract`) and one module per family."""
