"""Whom TLS trusts where the system names nobody, and with a file of one's own."""

from pathlib import Path

import pytest

from service.trust import tls
from tests.service.certificates import authority


def test_a_system_without_authorities_trusts_those_of_certifi(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "absent.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "absent"))
    assert len(tls.context().get_ca_certs()) > 50


def test_a_file_of_authorities_is_all_that_is_trusted(tmp_path: Path) -> None:
    (only,) = tls.context(str(authority(tmp_path).file)).get_ca_certs()
    assert "An authority of one test" in str(only["subject"])
