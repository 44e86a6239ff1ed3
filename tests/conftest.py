"""Fixtures that the whole test suite shares."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Folder with recorded reference data; tests that use it are extra checks and are skipped where it is absent."""
    path = Path(os.environ.get("PIXEL_LM_SHARED", ROOT.parent / "shared"))
    if not (path / "reference").is_dir():
        pytest.skip("no folder with reference data (set PIXEL_LM_SHARED)")
    return path
