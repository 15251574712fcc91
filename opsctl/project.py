"""The files that opsctl brings along (templates, the service, what an image is made of), and where
it keeps what the next start need not make again.

In a wheel they lie inside this package, in a checkout (or an editable install) beside it.
"""

from collections.abc import Mapping
from pathlib import Path

_PACKAGED = Path(__file__).parent / "_project"
FOLDER = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).parent.parent
TEMPLATES = FOLDER / "templates"


def cache(environ: Mapping[str, str]) -> Path:
    """A folder of the user's; it may not be there yet. Raises RuntimeError without a home."""
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "opsctl"
