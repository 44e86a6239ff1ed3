"""Fixtures that the whole test suite shares."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples in every run, so that a change alone decides whether the tests pass; HYPOTHESIS_PROFILE=search looks for new ones.
settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=150)
settings.register_profile("search", deadline=None, max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Folder with recorded reference data; tests that use it are extra checks and are skipped where it is absent."""
    path = Path(os.environ.get("PIXEL_LM_SHARED", ROOT.parent / "shared"))
    if not (path / "reference").is_dir():
        pytest.skip("no folder with reference data (set PIXEL_LM_SHARED)")
    return path
