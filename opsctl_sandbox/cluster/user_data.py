"""What an instance's user data does: the cluster that its agent joins, when it signals
CloudFormation, and where its logs go.

The shell script is not run but read: its files (`cat > FILE <<'END'`), systemd units among them,
and the remaining lines, which run from top to bottom.
"""

import json
import re
from dataclasses import dataclass
from typing import Literal

from opsctl_sandbox.cluster.values import StartScript

_CLUSTER = re.compile(r"ECS_CLUSTER\s*[=:]\s*[\"']?([A-Za-z0-9_-]+)")
_ATTRIBUTES = re.compile(r"ECS_INSTANCE_ATTRIBUTES\s*=\s*'?(\{[^\n']*\})")
_FILE = re.compile(
    r"cat\s*>+\s*(\S+)\s*<<-?\s*[\"']?(\w+)[\"']?\n(.*?)\n\s*\2\s*(?:\n|$)", re.DOTALL
)
_STARTED = re.compile(r"systemctl\s+(?:enable\s+--now|start|restart)\s+([^\n&;|]*)")
_TRAP = re.compile(r"^\s*trap\s+(?:'[^']*'|\S)[^\n]*$", re.MULTILINE)
_LOOP = re.compile(r"seq\s+(\d+)")
_PAUSE = re.compile(r"sleep\s+(\d+)")
_LAST_WORDS = re.compile(r"echo\s+[\"']([^\"'\n]*)[\"'][^\n]*>+\s*/dev/console")
_LAST_OF_ALL = re.compile(r"echo\s+[\"']([^\"'\n]*)[\"']\s*\n\s*\}\s*>+\s*/dev/console")
_DEADLINE = re.compile(r"/proc/uptime\D*-g[et]\s+(\d+)")
_NO_AGENT = re.compile(r"systemctl\s+(?:mask|disable|stop)\b[^\n]*\becs\b")
_PACKAGES = re.compile(r"\b(?:dnf|yum)\b[^\n]*\binstall\b")
_COLLECTED = re.compile(
    r'"file_path":\s*"([^"]+)",\s*"log_group_name":\s*"([^"]+)",\s*"log_stream_name":\s*"([^"]+)"'
)
_LOGGED = re.compile(r"tee\s+-a\s+(\S+?)\)|>>\s*(/var/log/\S+)")
_AGENT_ADDRESS = "127.0.0.1:51678"
_PROGRAM = "cfn-signal"


@dataclass(frozen=True)
class Collected:
    """A file that the CloudWatch agent sends, and where to. `{instance_id}` is kept as is."""

    file: str
    group: str
    stream: str


def cluster(text: str) -> str:
    """Return the agent's cluster: `default` unless the user data sets ECS_CLUSTER."""
    setting = _CLUSTER.search(text)
    return setting.group(1) if setting else "default"


def read(text: str) -> StartScript:
    files = {name: body for name, _, body in _FILE.findall(text)}
    body = _TRAP.sub("", _FILE.sub("", text))
    waiting = _waiting(body, files)
    signal: Literal["script", "joined", "never"] = "never"
    if _calls(body, files):
        signal = "script"
    elif waiting:
        signal = "joined"
    return StartScript(
        attributes=_attributes(text),
        signal=signal,
        patience=_patience(waiting),
        deadline=_seconds(_DEADLINE, waiting),
        last_words=_first(_LAST_WORDS, text),
        last_of_all=_first(_LAST_OF_ALL, text),
        stops_agent=bool(_NO_AGENT.search(text)),
        configures_first=_place(_CLUSTER, text) < _place(_PACKAGES, text),
    )


def _first(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return match.group(1) if match else ""


def _seconds(pattern: re.Pattern[str], text: str) -> float:
    return float(_first(pattern, text) or 0)


def _place(pattern: re.Pattern[str], text: str) -> int:
    match = pattern.search(text)
    return match.start() if match else len(text)


def collected(text: str) -> list[Collected]:
    return [Collected(*groups) for groups in _COLLECTED.findall(text)]


def place(text: str, source: str, instance: str) -> tuple[str, str] | None:
    """Return the (log group, stream) for a source: `ecs`, `agent` or `start`."""
    for one in collected(text):
        name = one.file.rpartition("/")[2]
        kind = "agent" if "agent" in name else "ecs" if "ecs" in name else ""
        if one.file == start_log(text):
            kind = "start"
        if kind == source:
            return one.group, one.stream.replace("{instance_id}", instance)
    return None


def start_log(text: str) -> str:
    """Return the file in which the script logs what it does; '' if there is none."""
    match = _LOGGED.search(text)
    return (match.group(1) or match.group(2)) if match else ""


def _attributes(text: str) -> tuple[tuple[str, str], ...]:
    match = _ATTRIBUTES.search(text)
    try:
        values = json.loads(match.group(1)) if match else {}
    except ValueError:
        return ()
    return tuple((str(name), str(value)) for name, value in values.items())


def _calls(body: str, files: dict[str, str]) -> bool:
    """Return whether the script itself signals, directly or by one of its files that it runs."""
    if _PROGRAM in body:
        return True
    run = [
        name
        for name in files
        if re.search(rf"^\s*(?:\S+=\S+\s+)*{re.escape(name)}\b", body, re.MULTILINE)
    ]
    return any(_PROGRAM in files[name] for name in run)


def _waiting(body: str, files: dict[str, str]) -> str:
    """Return the file that waits for the agent and then signals, or ''.

    The script starts it by a unit or in the background.
    """
    started = " ".join(_STARTED.findall(body))
    for name, content in files.items():
        unit = name.rpartition("/")[2].removesuffix(".service")
        if name.endswith(".service") and re.search(rf"\b{re.escape(unit)}\b", started):
            program = re.search(r"ExecStart=(\S+)", content)
            reached = files.get(program.group(1), "") if program else ""
            if _AGENT_ADDRESS in reached and _reaches(reached, files):
                return reached
        if re.search(rf"{re.escape(name)}\s*&", body) and _AGENT_ADDRESS in content:
            return content
    return ""


def _reaches(content: str, files: dict[str, str]) -> bool:
    """Return whether it calls the program, itself or by another file."""
    return _PROGRAM in content or any(
        _PROGRAM in other for name, other in files.items() if name in content
    )


def _patience(waiting: str) -> float:
    """Return how many seconds it waits: rounds times pause."""
    rounds, pause = _LOOP.search(waiting), _PAUSE.search(waiting)
    return float(rounds.group(1)) * float(pause.group(1)) if rounds and pause else 600.0
