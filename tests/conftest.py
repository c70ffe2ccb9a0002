"""Fixtures that several test files share."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny but real bundle, made once for all tests. Read only: a test that changes it works on a copy."""
    from tiny_bundle import make_tiny_bundle  # imports torch and onnx, which not every test needs

    return make_tiny_bundle(tmp_path_factory.mktemp("bundle"))
