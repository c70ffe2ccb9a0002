"""The filter language, and the columns that it can name."""
