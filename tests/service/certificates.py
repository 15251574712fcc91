"""A certificate authority of one test, by the `openssl` command."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Authority:
    """`file` is what clients trust; `issue` gives the files of a certificate and its key."""

    file: Path
    key: Path

    def issue(self, host: str) -> tuple[Path, Path]:
        folder = self.file.parent
        certificate, key, names = (folder / f"{host}.{kind}" for kind in ("pem", "key", "names"))
        # Python 3.13 asks for what RFC 5280 asks for.
        names.write_text(f"subjectAltName=DNS:{host}\nauthorityKeyIdentifier=keyid\n")
        request = folder / f"{host}.request"
        _openssl("req", *_new(key), "-subj", f"/CN={host}", "-out", request)
        signed = ("x509", "-req", "-in", request, "-CA", self.file, "-CAkey", self.key)
        _openssl(*signed, "-CAcreateserial", "-days", "2", "-extfile", names, "-out", certificate)
        return certificate, key


def authority(folder: Path) -> Authority:
    folder.mkdir(exist_ok=True)
    made = Authority(folder / "authority.pem", folder / "authority.key")
    subject = ("-subj", "/CN=An authority of one test", "-days", "2")
    usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
    _openssl("req", "-x509", *_new(made.key), *subject, *usage, "-out", made.file)
    return made


def _new(key: Path) -> tuple[str | Path, ...]:
    return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key)


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=30)
