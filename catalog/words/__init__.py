"""Searches in words: which labels, columns and titles a text asks for."""
