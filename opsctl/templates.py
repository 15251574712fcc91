"""Access to jinja2: render a template by name. Undefined values are errors."""

import json
import os
import re
import traceback
from contextlib import suppress
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from opsctl import project
from opsctl.errors import TemplateError

if TYPE_CHECKING:
    import jinja2

# JSON allows these unescaped; YAML refuses them or reads a line break.
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def render(name: str, **values: object) -> str:
    """Fill `templates/<name>`. Raises TemplateError with file and line."""
    import jinja2  # imported here, because most commands need only a stack's name

    try:
        return _environment().get_template(name).render(values)
    except jinja2.TemplateNotFound as error:
        raise TemplateError(f"there is no template `{error.name}`") from None
    except jinja2.TemplateSyntaxError as error:
        raise TemplateError(f"{error.name or name}:{error.lineno}: {error.message}") from None
    except jinja2.UndefinedError as error:
        raise TemplateError(f"{_place(error, name)}: {error.message}") from None


@cache
def _environment() -> "jinja2.Environment":
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(project.TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # CloudFormation's YAML, not HTML; `json` quotes where needed
        bytecode_cache=_bytecode(),
    )
    environment.filters["json"] = _json
    environment.filters["seconds"] = lambda value: int(value.total_seconds())
    environment.filters["iso"] = _iso
    return environment


def _bytecode() -> "jinja2.BytecodeCache | None":
    """Return a cache of compiled templates, because compiling takes a quarter of `render`.

    None when no folder can be made. A folder that cannot be written stays empty.
    """
    import jinja2

    class Written(jinja2.FileSystemBytecodeCache):
        def dump_bytecode(self, bucket: "jinja2.bccache.Bucket") -> None:
            with suppress(OSError):
                super().dump_bytecode(bucket)

    try:
        folder = project.cache(os.environ) / "templates"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # It holds code. With sudo the home may belong to somebody else.
        return Written(str(folder)) if folder.stat().st_uid == os.getuid() else None
    except (OSError, RuntimeError):
        return None


def _json(value: Any) -> str:
    """Return a JSON value that is also valid YAML and whose content cannot break out of it."""
    return _UNPRINTABLE.sub(
        lambda match: f"\\u{ord(match[0]):04x}", json.dumps(value, ensure_ascii=False)
    )


def _iso(value: timedelta) -> str:
    """Return CloudFormation's ISO 8601 durations: `PT15M`, `PT1H`, `PT90S`."""
    seconds = int(value.total_seconds())
    if seconds % 60:
        return f"PT{seconds}S"
    return f"PT{seconds // 3600}H" if seconds % 3600 == 0 else f"PT{seconds // 60}M"


def _place(error: Exception, name: str) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename.endswith(name)]
    return f"{name}:{lines[-1]}" if lines else name
