"""Write a command's result as Markdown for GitHub's step summary. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

# The kinds of objects in a summary.
KINDS = frozenset(
    {"plan", "difference", "result", "release", "rollback", "cause", "error", "finding", "reached"}
)
_ROWS = 50
_SPECIAL = re.compile(r"[\\`*_\[\]<>&|#~]")
_CONSOLES = {"cn-": "console.amazonaws.cn", "us-gov-": "console.amazonaws-us-gov.com"}
_Object = tuple[str, Mapping[str, Any]]


def markdown(command: str, objects: Sequence[_Object], region: str = "") -> str:
    """Return the Markdown.

    `region` is used in links to the AWS console; without it there are none.
    """
    lines = [f"### `{' '.join(command.replace('`', '').split())}`", ""]
    for kind, fields in objects:
        lines += _SECTIONS[kind](fields, region)
    lines += _findings([fields for kind, fields in objects if kind == "finding"])
    return "\n".join(lines) + "\n"


def _plan(fields: Mapping[str, Any], region: str) -> Iterator[str]:
    changes = fields["changes"]
    name = _stack(fields["stack"], region)
    if not changes:
        yield from (f"{name}: no changes", "")
        return
    yield from (
        f"Plan for {name}:",
        "",
        "| | resource | type | effect |",
        "| --- | --- | --- | --- |",
    )
    for one in changes[:_ROWS]:
        action = f"**{one['action']}, replaced**" if one["replaces"] else one["action"]
        name, kind = _text(one["logical_id"]), _text(one["resource_type"])
        effect = " ".join(filter(None, (_text(one["effect"]), _loss(one["loss"]))))
        yield f"| {action} | {name} | {kind} | {effect} |"
    if len(changes) > _ROWS:
        yield f"| | and {len(changes) - _ROWS} more | | |"
    yield ""


def _loss(loss: str | None) -> str:
    return f"**{_text(loss)}**" if loss else ""


def _difference(fields: Mapping[str, Any], region: str) -> Iterator[str]:
    changes = fields["changes"]
    if changes:
        yield from (f"{_text(fields['before'])} → {_text(fields['after'])}", "")
        yield from (f"- {one['topic']}: {_text(one['text'])}" for one in changes[:_ROWS])
        yield ""


def _result(fields: Mapping[str, Any], region: str) -> Iterator[str]:
    reason = f": {_text(fields['reason'])}" if fields.get("reason") else ""
    yield from (f"{_stack(fields['stack'], region)}: **{fields['outcome']}**{reason}", "")


def _release(fields: Mapping[str, Any], region: str) -> Iterator[str]:
    number = f"Release {fields['number']}: " if fields.get("number") else ""
    reason = f": {_text(fields['reason'])}" if fields.get("reason") else ""
    yield from (f"{number}**{fields['outcome']}**{reason}", "")
    facts = [
        f"image `{_code(fields['image'])}`" if fields.get("image") else "",
        f"commit `{_code(fields['commit'])}`" if fields.get("commit") else "",
        f"{fields['seconds']} s" if fields.get("seconds") else "",
    ]
    if any(facts):
        yield from (", ".join(filter(None, facts)), "")


def _rollback(fields: Mapping[str, Any], region: str) -> Iterator[str]:
    to = f"release {fields['to']}" if fields["to"] else "a task definition"
    yield from (f"Back to {to}: image `{_code(fields['image'])}`", "")


def _cause(fields: Mapping[str, Any], region: str) -> Iterator[str]:
    yield f"{fields['rank']}. **{fields['confidence']}**: {_text(fields['sentence'])}"
    for one in fields["evidence"]:
        time = f"{one['time']:%H:%M:%S} " if hasattr(one["time"], "hour") else ""
        yield f"   - {time}{_text(one['source'])}: {_text(one['quote'])}"
    if fields["next"]:
        yield f"   - next: `{_code(fields['next'])}`"
    yield ""


def _error(fields: Mapping[str, Any], region: str) -> Iterator[str]:
    yield from (f"**error**: {_text(fields['message'])}", "")
    yield from (f"- {_text(one)}" for one in fields["findings"])
    if fields["hint"]:
        yield from (f"hint: `{_code(fields['hint'])}`", "")


def _reached(fields: Mapping[str, Any], region: str) -> Iterator[str]:
    answer = f" ({fields['status']})" if fields.get("status") else ""
    yield from (f"Through the load balancer: `{_code(fields['url'])}`{answer}", "")


def _nothing(fields: Mapping[str, Any], region: str) -> Iterator[str]:
    """Yield nothing: findings are listed together at the end."""
    return iter(())


def _findings(findings: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    rows = [one for one in findings if one["level"] != "ok"]
    if rows:
        yield from ("| level | area | finding | fix |", "| --- | --- | --- | --- |")
    for one in rows:
        fix = f"`{_code(one['fix'])}`" if one["fix"] else ""
        yield f"| {one['level']} | {one['area']} | {_text(one['text'])} | {fix} |"


_SECTIONS = {
    "plan": _plan, "difference": _difference, "result": _result, "release": _release,
    "rollback": _rollback, "cause": _cause, "error": _error, "finding": _nothing,
    "reached": _reached,
}  # fmt: skip


def _stack(name: str, region: str) -> str:
    """Return the stack's name with a link to the console's list, searched by name."""
    if not region or not re.fullmatch(r"[\w-]+", name):
        return f"`{_code(name)}`"
    host = next((one for start, one in _CONSOLES.items() if region.startswith(start)), None)
    url = f"https://{host or 'console.aws.amazon.com'}/cloudformation/home?region={region}"
    return f"[`{name}`]({url}#/stacks?filteringText={name})"


def _text(text: object) -> str:
    """Escape text from AWS or a container, so that it is never Markdown or HTML."""
    line = " ".join(str(text or "").split())
    return _SPECIAL.sub(lambda match: f"&#{ord(match[0])};", line)


def _code(text: object) -> str:
    """Return text for inside backticks; a `|` would end a table's cell."""
    return " ".join(str(text).split()).replace("`", "'").replace("|", "\\|")
