"""Answers of a scored catalog, looked at and corrected by people."""
