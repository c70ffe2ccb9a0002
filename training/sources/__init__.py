"""Importers of labeled photographs into the training format.

Training only needs `open_folder` and `load_taxonomy`; `python -m training.sources --help` lists the importers.
"""

from training.sources.opening import load_taxonomy, open_folder, read_description

__all__ = ["load_taxonomy", "open_folder", "read_description"]
