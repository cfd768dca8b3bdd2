"""What tests of data share."""

from pathlib import Path

import pytest


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder that is empty."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("MINDCV_SHUFFLENET_HOME", str(folder))
    return folder
