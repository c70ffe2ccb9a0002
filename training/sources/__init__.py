"""Importers into the one training format, from whatever labeled photographs a user has.

`open_folder` and `load_taxonomy` are all that training needs; `python -m training.sources --help` has each importer.
"""

from training.sources.opening import load_taxonomy, open_folder, read_description

__all__ = ["load_taxonomy", "open_folder", "read_description"]
