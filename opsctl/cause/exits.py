"""Causes for tasks that start and then exit."""

from collections import Counter
from collections.abc import Iterator, Sequence

from opsctl.cause import task_failures, telling
from opsctl.cause.cause import Cause
from opsctl.cause.history import History
from opsctl.cause.task_failures import TaskFailure

LOGS = "opsctl logs tail stdout --since 15m --no-follow"
# Exit code -> name of the signal. A process ended by a signal exits with 128 + its number.
_SIGNALS = {
    132: "illegal instruction",
    134: "it aborted",
    135: "bus error",
    136: "arithmetic error",
    139: "segmentation fault",
    143: "it was asked to end",
}
_CODES = {
    0: "it ended, although it should run on",
    125: "Docker itself failed",
    126: "the command cannot be executed",
    127: "the command was not found",
}


def out_of_memory(history: History) -> Iterator[Cause]:
    for failures in task_failures.of(history, "out-of-memory").values():
        first, said = failures[0], any("memory" in one.text.lower() for one in failures)
        sentence, next = _host(first), "larger `compute.instance_type`, then run: opsctl ecs up"
        if not sentence:
            limit, code = telling.limits(history, first), first.task.exit_code
            sentence = f"container `{_container(first)}` needs more memory than it has"
            sentence += f" ({limit} MiB)" if limit else ""
            sentence += f": {telling.brief(first.reason) if code is None else f'exited {code}'}"
            sentence += f", and last said: {telling.quoted(first.last)}" if first.last else ""
            next = "raise `ecs.memory`, then run: opsctl ecs up"
        yield telling.cause(
            history,
            "out-of-memory",
            failures,
            sentence,
            next=next,
            confidence="certain" if said else "likely",
        )


def caddyfile_refused(history: History) -> Iterator[Cause]:
    for failures in task_failures.of(history, "caddyfile-refused").values():
        yield telling.cause(
            history,
            "caddyfile-refused",
            failures,
            f"the service refuses its Caddyfile: {_line(failures, task_failures.CADDYFILE)}",
            next="correct the Caddyfile_template, then run: opsctl update-tasks",
            lasting=True,
        )


def container_exited(history: History) -> Iterator[Cause]:
    for failures in task_failures.of(history, "container-exited").values():
        first = _loudest(failures)
        code = first.task.exit_code
        meaning = _SIGNALS.get(code or 0) if code else None
        meaning = meaning or (_CODES.get(code) if code is not None else None)
        sentence = f"container `{_container(first)}` exited {'' if code is None else code}".rstrip()
        sentence += f" ({meaning})" if meaning else ""
        if first.last:
            sentence += f", and last said: {telling.quoted(first.last)}"
        elif (reason := _own(first)) != "":
            sentence += f": {reason}"
        yield telling.cause(history, "container-exited", failures, sentence, next=LOGS)


def _host(failure: TaskFailure) -> str:
    """Return a sentence if the container could not start because its instance has no memory."""
    if failure.task.exit_code is not None or "cannot allocate" not in failure.reason.lower():
        return ""
    return f"an instance has no memory left to start a container: {telling.brief(failure.reason)}"


def _loudest(failures: Sequence[TaskFailure]) -> TaskFailure:
    """Return a failure with the most common exit code; one that wrote log lines if there is any."""
    codes = Counter(one.task.exit_code for one in failures)
    most = [one for one in failures if one.task.exit_code == codes.most_common(1)[0][0]]
    return next((one for one in most if one.lines), most[0])


def _own(failure: TaskFailure) -> str:
    reasons = [one.reason for one in failure.task.containers if one.reason]
    return telling.brief(reasons[0]) if reasons else ""


def _container(failure: TaskFailure) -> str:
    containers = failure.task.containers
    names = [*failure.task.culprits, *(one.name for one in containers)]
    return names[0] if names else "?"


def _line(failures: Sequence[TaskFailure], pattern: str) -> str:
    """Return the newest log line that matches `pattern`, else the reason of the first failure."""
    fits = task_failures.says(pattern)
    lines = (line for one in failures for line in reversed(one.lines) if fits(line))
    return telling.quoted(next(lines, failures[0].reason))


RULES = (out_of_memory, caddyfile_refused, container_exited)
