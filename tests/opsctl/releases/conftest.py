"""A directory with all that a release is made of."""

from pathlib import Path

import pytest

from tests.opsctl.releases.test_make import TEMPLATE


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "Caddyfile_template").write_text(TEMPLATE, encoding="utf-8")
    (tmp_path / "Dockerfile").write_text("FROM scratch\n", encoding="utf-8")
    return tmp_path
