"""Causes for tasks that cannot start: processor, secrets, permissions, logging, ports."""

import re
from collections.abc import Iterator, Sequence

from opsctl.aws import iam
from opsctl.cause import task_failures, telling
from opsctl.cause.cause import Cause, Evidence
from opsctl.cause.history import History
from opsctl.cause.task_failures import TaskFailure

_REFERENCE = re.compile(
    r"(?:parameters?:? \[?|secret |`)(?P<name>(?:arn:|ssm:|secretsmanager:|/)[^\s`,\]]+)"
)
_LOG_GROUP = re.compile(r"log group (?P<name>/?[\w./#-]+) does not exist")
_AWAY = re.compile(r"connection issue|dial tcp|deadline exceeded|timed? ?out|no such host", re.I)
# Docker started no program: the image lacks its own command, or it is not executable.
_COMMAND = re.compile(r"exec: |executable file|no command specified|entrypoint", re.IGNORECASE)
_IMAGE = "correct the image's command, then run: opsctl update-tasks"
_AGENT = "what the instance's agent says about it: opsctl logs tail agent --since 1h --no-follow"


def secret_missing(history: History) -> Iterator[Cause]:
    for failures in task_failures.of(history, "secret-missing").values():
        match = _REFERENCE.search(failures[0].text)
        what = f"the secret {match['name'].rstrip('.:')}" if match else "a secret of the task"
        yield telling.cause(
            history,
            "secret-missing",
            failures,
            f"{what} cannot be read: {telling.last(failures[0])}",
            next=_to_read(failures[0].text, match["name"] if match else ""),
            evidence=_secrets(history),
        )


def secret_gone(history: History) -> Iterator[Cause]:
    """Yield a Cause for a secret that the running release had and nobody can read any more, before
    a task fails.
    """
    now = history.now
    if now.service is None or not now.service.desired:
        return
    for one in now.secret_versions:
        if not one.problem or one.reference not in now.names.task_secrets:
            continue
        if now.releases and not any(one.reference in each.secrets for each in now.releases):
            continue  # what runs does without it; `update-tasks` refuses what a new release lacks
        store, _, name = one.reference.partition(":")
        asked = "ssm DescribeParameters" if store == "ssm" else "secretsmanager DescribeSecret"
        yield Cause(
            "secret-missing",
            f"the secret {one.reference} {one.problem}: a task that stops cannot be replaced",
            "certain",
            (Evidence(asked, f"{name}: {one.problem}", now.at),),
            f"to restore it: aws secretsmanager restore-secret --secret-id {name.partition('#')[0]}"
            if one.deleted
            else "for the command that writes it: opsctl secrets check",
        )


def _to_read(text: str, name: str) -> str:
    if "has no `secrets`" in text:
        return "add `secrets SECRETS_FILE` to the Caddyfile_template, then run: opsctl update-tasks"
    if _AWAY.search(text):
        return "to compare routes and groups with the stack: opsctl ecs plan"
    if "marked for deletion" in text and name.startswith("arn:"):
        # A task definition may name a key of the secret behind its ARN.
        secret = ":".join(name.rstrip(".:").split(":")[:7])
        return f"to restore it: aws secretsmanager restore-secret --secret-id {secret}"
    return "for the command that writes it: opsctl secrets check; then: opsctl update-tasks"


def permission_missing(history: History) -> Iterator[Cause]:
    for failures in task_failures.of(history, "permission-missing").values():
        action, on = iam.denied(failures[0].text)
        what = f"the task's roles lack {action}{on}" if action else "a role may not do this"
        yield telling.cause(
            history,
            "permission-missing",
            failures,
            f"{what}: {telling.last(failures[0])}",
            next="to see what differs from the roles of the stack: opsctl ecs plan",
        )


def log_group_missing(history: History) -> Iterator[Cause]:
    for failures in task_failures.of(history, "log-group-missing").values():
        missing = _named_group(failures[0].text)
        missing = missing or [one.name for one in history.now.log_groups if not one.exists]
        missing = missing or _only_group(history, failures[0])
        which = f"the log group {missing[0]}" if missing else "a log group of the task"
        yield telling.cause(
            history,
            "log-group-missing",
            failures,
            f"{which} does not exist: {telling.last(failures[0])}",
            next=_log_groups(history, missing),
            evidence=[
                Evidence("logs DescribeLogGroups", f"{one.name}: not found", history.now.at)
                for one in history.now.log_groups
                if not one.exists
            ],
        )


def _named_group(text: str) -> list[str]:
    """Return the log group that the service itself names, in a list; ECS names none."""
    match = _LOG_GROUP.search(text)
    return [match["name"]] if match else []


def _only_group(history: History, failure: TaskFailure) -> list[str]:
    """Return the log group of the task in a list, if its definition has exactly one."""
    definition = history.now.definition(failure.task.task_definition)
    groups = {stream.group for stream in definition.logs} if definition else set()
    return list(groups) if len(groups) == 1 else []


def log_group_gone(history: History) -> Iterator[Cause]:
    """Yield a Cause for a missing log group, before a task fails or lines are lost."""
    definitions = history.now.task_definitions
    of_tasks = {stream.group for one in definitions for stream in one.logs}
    # The service looks for the group of its own errors when it starts.
    of_tasks.add(history.now.names.log_groups.get("app", ""))
    for one in history.now.log_groups:
        if not one.exists:
            needed = one.name in of_tasks
            what = "no new task can start" if needed else "somebody deleted it, and lines are lost"
            yield Cause(
                "log-group-missing",
                f"the log group {one.name} does not exist: {what}",
                "certain",
                (Evidence("logs DescribeLogGroups", f"{one.name}: not found", history.now.at),),
                _log_groups(history, [one.name]),
                hinders=needed,
                explains=frozenset({"breaker-tripped", "resource-failed", "logging-failed"})
                if needed
                else frozenset(),
            )


def _log_groups(history: History, missing: Sequence[str]) -> str:
    """Return the hint for missing log groups. The stack can create its own ones again."""
    ecs = history.now.stack("ecs")
    made = {*history.now.names.log_groups.values(), *(ecs.outputs.values() if ecs else ())}
    if made.intersection(missing):
        return "to make it again: opsctl ecs up --revert-drift"
    return "to see which are there: opsctl logs sources"


def container_cannot_start(history: History) -> Iterator[Cause]:
    for failures in task_failures.of(history, "container-cannot-start", "task-failed").values():
        yield telling.cause(
            history,
            "container-cannot-start",
            failures,
            f"the container cannot be started: {telling.last(failures[0])}",
            next=_IMAGE if _COMMAND.search(failures[0].reason) else _AGENT,
            confidence="certain" if failures[0].reason else "likely",
        )


def _secrets(history: History) -> tuple[Evidence, ...]:
    """Return the secrets of the newest task definition, as one piece of evidence or ()."""
    primary = history.now.primary
    definition = history.now.definition(primary.task_definition) if primary else None
    names = (
        ", ".join(f"{name}={reference}" for name, reference in definition.secrets)
        if (definition)
        else ""
    )
    return (Evidence("ecs DescribeTaskDefinition", f"secrets: {names}"),) if names else ()


RULES = (
    telling.plainly(
        "wrong-architecture",
        "the image is for another processor than the instances",
        says=telling.last,
        next="build it for `compute.architecture`: opsctl update-tasks",
        lasting=True,
    ),
    secret_missing,
    secret_gone,
    telling.plainly(
        "secret-empty",
        "a secret is there, but empty",
        says=telling.last,
        next="give it a value, then run: opsctl update-tasks",
    ),
    permission_missing,
    log_group_missing,
    log_group_gone,
    telling.plainly(
        "logging-failed",
        "the log driver cannot start",
        says=telling.last,
        next="to see which log groups are there: opsctl logs sources",
    ),
    telling.plainly(
        "port-taken",
        "something else has the port already",
        says=telling.last,
        next="`ecs.host_ports: dynamic` takes free ones; to see: opsctl config show --origin",
    ),
    container_cannot_start,
    telling.plainly(
        "instance-lost",
        "tasks went with their instance",
        says=telling.last,
        next=telling.JOIN_LOGS,
    ),
)
