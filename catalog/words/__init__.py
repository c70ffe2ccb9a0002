"""Text search: which labels, columns and titles a query asks for."""
