"""Names that only the config, the sandbox or AWS knows, for completion.

Names on this machine are read at once. AWS is called with a short timeout and its answer kept for a
minute, so only the first Tab may wait for the network.
"""

import hashlib
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from opsctl import disk, project
from opsctl.errors import OpsError

if TYPE_CHECKING:
    from opsctl.config.model import Config
    from opsctl.snapshot.snapshot import Part, Snapshot

Names: TypeAlias = Sequence[tuple[str, str]]  # (name, description)
_OF_SOURCES = {
    *("logs tail names", "logs audit names", "logs lag names"),
    *("logs query source", "logs compare names"),
}
_MINUTE, _DAY = 60.0, 86_400.0
_WITHOUT_CONFIG = ("logs tail names", "rehearse name")
_PATIENCE = 3.0  # seconds to wait for AWS's first answer


def of(parameter: str, *, config: Path, environment: str, environ: Mapping[str, str]) -> Names:
    """Return the names for a parameter of a command (`logs tail task`), or none on any failure."""
    if not config.is_file() and parameter not in _WITHOUT_CONFIG:
        return ()  # a pipe would be waited for, and gives its content only once
    try:
        if parameter == "environment":
            return _environments(config)
        if parameter == "secrets set name":
            return _secrets(config)
        if parameter in _OF_SOURCES:
            return _sources()
        if parameter == "logs query text":
            return _queries()
        if parameter == "metrics plot":
            return _metrics()
        if parameter in _OF_CONFIG:
            key = json.dumps([parameter, str(disk.real(config)), environment])
            return _kept(
                key,
                environ,
                _MINUTE,
                lambda: _OF_CONFIG[parameter](_loaded(config, environment, environ)),
            )
        if parameter == "rehearse name":
            return _kept(parameter, environ, _DAY, lambda: _rehearsals(environ))
        if parameter in _IN_AWS:
            account = [environ.get(name, "") for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL")]
            part, names = _IN_AWS[parameter]
            key = json.dumps([part, str(disk.real(config)), environment, *account])
            return _kept(
                key,
                environ,
                _MINUTE,
                lambda: _briefly(lambda: names(_look(part, config, environment, environ))),
            )
    except Exception:  # A Tab must be silent; the command itself will report the problem.
        return ()
    return ()


def _environments(config: Path) -> Names:
    from opsctl.config import document

    overlays = document.read(config).data.get("environments")
    return [(name, "") for name in overlays] if isinstance(overlays, dict) else ()


def _secrets(config: Path) -> Names:
    from opsctl.config import document

    data = document.read(config).data
    sections = [data.get("secrets", {}).get("values", {}), data.get("ecs", {}).get("secrets", {})]
    return [(name, reference) for section in sections for name, reference in section.items()]


def _sources() -> Names:
    from opsctl.config.sources import SOURCES

    return [(source.name, source.tells) for source in SOURCES]


def _queries() -> Names:
    from opsctl.logs.query import PRESETS

    return [(name, "") for name in PRESETS]


def _metrics() -> Names:
    from opsctl.metrics.catalogue import CATALOGUE

    return [(name, "") for name in dict.fromkeys(metric.name for metric in CATALOGUE)]


def _loaded(config: Path, environment: str, environ: Mapping[str, str]) -> "Config":
    from opsctl.config import load

    return load.load(config, environment=environment or None, environ=environ).config


def _stacks(config: "Config") -> Names:
    return [(f"{config.system}-{kind}", "") for kind in ("db", "ecr", "ecs", "alarms")]


def _alarms(config: "Config") -> Names:
    from opsctl.alarms.catalogue import catalogue

    return [(alarm.name, alarm.tells) for alarm in catalogue(config)]


# parameter -> how to get its names from the config
_OF_CONFIG: "Mapping[str, Callable[[Config], Names]]" = {
    "unlock stack": _stacks,
    "alarms explain name": _alarms,
    "alarms test name": _alarms,
}


def _rehearsals(environ: Mapping[str, str]) -> Names:
    from opsctl.cli import sandbox_process

    listed = sandbox_process.run(["rehearsals"], environ)
    return [(one["name"], one["tells"]) for one in listed]


def _tasks(now: "Snapshot") -> Names:
    return [(task.id, task.status) for task in now.tasks]


def _instances(now: "Snapshot") -> Names:
    return [(one.id, one.zone) for one in now.instances]


def _releases(now: "Snapshot") -> Names:
    return [
        (
            str(one.number),
            f"{one.begun:%Y-%m-%d %H:%M}Z {one.outcome}{f': {one.why}' * bool(one.why)}",
        )
        for one in now.releases
    ]


# parameter -> (the part of a snapshot that it needs, how to get its names)
_IN_AWS: "Mapping[str, tuple[Part, Callable[[Snapshot], Names]]]" = {
    "logs tail task": ("tasks", _tasks),
    "logs tail instance": ("instances", _instances),
    "logs tail since_release": ("releases", _releases),
    "logs compare number": ("releases", _releases),
    "history number": ("releases", _releases),
    "rollback number": ("releases", _releases),
    "diff before": ("releases", _releases),
    "diff after": ("releases", _releases),
}


def _look(part: "Part", config: Path, environment: str, environ: Mapping[str, str]) -> "Snapshot":
    from opsctl import aws
    from opsctl.snapshot.read import Reader
    from opsctl.snapshot.snapshot import Look
    from opsctl.snapshot.snapshot import Names as SystemNames

    loaded = _loaded(config, environment, environ)
    clients = aws.connect(loaded.aws, patience=aws.Patience(0))
    reader = Reader(clients, SystemNames.of(loaded), patient=False)
    return reader(Look(frozenset({part}))).require(part)


def _briefly(ask: Callable[[], Names]) -> Names:
    """Return the names.

    Raises TimeoutError when it takes longer than a person waits at a prompt.
    """
    answers: list[Names] = []
    thread = threading.Thread(target=lambda: answers.append(ask()), daemon=True)
    thread.start()
    thread.join(_PATIENCE)
    if not answers:
        raise TimeoutError
    return answers[0]


def _kept(key: str, environ: Mapping[str, str], seconds: float, ask: Callable[[], Names]) -> Names:
    """Return the names from a file in the user's cache, unless it is older than `seconds`."""
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    file = project.cache(environ) / f"names-{digest}.json"
    try:
        if 0 <= time.time() - file.stat().st_mtime < seconds:
            return [(name, about) for name, about in json.loads(file.read_text("utf-8"))]
    except (OSError, ValueError):
        pass
    names = ask()
    with suppress(OSError, OpsError):  # a full or read-only home directory
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        disk.write(file, json.dumps(list(names)), private=True)
    return names
