"""The filter language and the columns that filters can name."""
