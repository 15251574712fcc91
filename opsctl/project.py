"""The files that opsctl ships (templates, the service, the image's files), and its cache folder.

In a wheel they are inside this package; in a checkout or an editable install beside it.
"""

from collections.abc import Mapping
from pathlib import Path

_PACKAGED = Path(__file__).parent / "_project"
FOLDER = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).parent.parent
TEMPLATES = FOLDER / "templates"


def cache(environ: Mapping[str, str]) -> Path:
    """Return the user's cache folder, which may not exist yet.

    Raises RuntimeError without a home.
    """
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "opsctl"
