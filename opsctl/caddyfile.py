"""Fill `Caddyfile_template`: replace ALL-CAPS names by the service's values.

A name is a whole word of two or more of A-Z, 0-9 and `_` that begins with a letter, also in
comments and quotes. `{$ENV}` and `{%ENV%}` stay for run time. `$INCR` and the words of ORDINARY are
not names. Any other name without a value is an error.
"""

import difflib
import re
from collections.abc import Mapping
from pathlib import Path

from opsctl import disk
from opsctl.config.findings import suggestion
from opsctl.config.model import Config
from opsctl.errors import TemplateError, nearest

_NAME = re.compile(r"(?<![A-Za-z0-9_$])(?<!\{%)[A-Z][A-Z0-9_]+(?![A-Za-z0-9_])")
# Capitals that people write and mean literally; a variable may still have such a name.
_ORDINARY = (
    "GET HEAD POST PUT PATCH DELETE OPTIONS TRACE CONNECT HTTP HTTPS TLS SSL TCP UDP DNS URL URI "
    "API JSON YAML HTML CSS UTF ASCII AWS ECS ECR ELB NLB EC2 VPC CPU RAM JWT UTC ID IP OK NO TODO "
    "NOTE FIXME ALL CAPS"
)
ORDINARY = frozenset(_ORDINARY.split())
# Names that opsctl fills by itself; a template need not use them all.
FILLED = (
    "APP_LOG_GROUP_NAME",
    "ECS_LOG_GROUP_NAME",
    "STREAM_NAME_ROOT",
    "REDIS_ADDRESS",
    "REDIS_MODE",
    "SECRETS_FILE",
    "SERVICE_NAME",
    "SERVICE_PORT",
)


_LARGEST = 1 << 20  # bytes


def read(path: Path) -> str:
    """Read a file as UTF-8. Raises TemplateError with file and line if that fails."""
    try:
        content = disk.read(path, _LARGEST + 1)
        if len(content) > _LARGEST:
            raise TemplateError(f"`{path}` has more than {_LARGEST >> 20} MiB: no Caddyfile")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise TemplateError(
            f"`{path}` cannot be read: {error.strerror}",
            hint="set `caddyfile.template` in opsctl.yaml to where the template is",
        ) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise TemplateError(
            f"{path}:{line}: the text is not UTF-8", hint="save the file as UTF-8"
        ) from error


def variables(config: Config, outputs: Mapping[str, str]) -> dict[str, str]:
    """Return the values of FILLED and of `caddyfile.variables`, which take precedence.

    `outputs` are those of the db stack. Raises TemplateError when they lack the endpoint.
    """
    if not outputs.get("RedisEndpoint"):
        raise TemplateError(
            f"the stack {config.system}-db has no output RedisEndpoint", hint="opsctl db up"
        )
    encrypted = config.db.kind == "replication_group" and config.db.encryption_in_transit
    return {
        "APP_LOG_GROUP_NAME": config.logs.group("app"),
        "ECS_LOG_GROUP_NAME": config.logs.group("stdout"),
        "STREAM_NAME_ROOT": config.logs.stream_name_root,
        "REDIS_ADDRESS": f"{'rediss://' if encrypted else ''}{outputs['RedisEndpoint']}",
        "REDIS_MODE": "cluster" if config.db.clustered else "",
        "SECRETS_FILE": config.secrets.file,
        "SERVICE_NAME": config.ecs.service_name,
        "SERVICE_PORT": str(config.load_balancer.container_port),
        **config.caddyfile.variables,
    }


def fill(template: str, variables: Mapping[str, str], *, file: str = "Caddyfile_template") -> str:
    """Replace every name in one pass, so that values are never searched for names.

    Raises TemplateError that lists every unknown and every unused name.
    """
    findings = [
        f"{file}:{number}: `{name}` has no value; {suggestion(name, variables)}"
        for number, line in enumerate(template.splitlines(), 1)
        for name in _NAME.findall(line)
        if name not in variables and name not in ORDINARY
    ]
    used = set(_NAME.findall(template))
    findings += [
        f"{file}: `{name}` has a value but is never used; {_nearest_written(name, used)}"
        for name in variables
        if name not in used and name not in FILLED
    ]
    mode = variables.get("REDIS_MODE")
    if mode and "REDIS_MODE" not in used and not re.search(rf"(?m)^\s*{mode}\b", template):
        findings.append(f"{file}: redis' block needs the line `REDIS_MODE`: `db.shards` is set")
    if findings:
        raise TemplateError(
            "\n".join(findings),
            hint="set the value in `caddyfile.variables`; "
            "write words that are not variables in lower case",
        )
    return _NAME.sub(lambda match: variables.get(match[0], match[0]), template)


def diff(old: str, new: str, *, old_name: str = "released", new_name: str = "now") -> list[str]:
    """Return a unified diff without line ends; empty when nothing differs."""
    return list(
        difflib.unified_diff(old.splitlines(), new.splitlines(), old_name, new_name, lineterm="")
    )


def _nearest_written(name: str, used: set[str]) -> str:
    near = nearest(name, used)
    return f"the template has `{near}`" if near else "remove it, or use it"
