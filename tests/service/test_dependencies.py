"""The image installs what the service declares, pinned."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_image_installs_every_declared_package_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {
        re.split(r"[^A-Za-z0-9_-]", text)[0] for text in project["optional-dependencies"]["service"]
    }
    lines = (ROOT / "requirements" / "service.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9._-]+==[0-9a-z.]+", line) for line in pins)
    assert declared <= {line.partition("==")[0] for line in pins}
