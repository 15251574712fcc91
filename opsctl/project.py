"""The files that opsctl brings along: templates, the service, what an image is made of.

In a wheel they lie inside this package, in a checkout (or an editable install) beside it.
"""

from pathlib import Path

_PACKAGED = Path(__file__).parent / "_project"
FOLDER = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).parent.parent
TEMPLATES = FOLDER / "templates"
