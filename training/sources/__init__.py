"""Importers into the one training format, from whatever labeled photographs a user has."""
