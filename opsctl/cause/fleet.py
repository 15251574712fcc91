"""Causes for container instances: not launched, not joined, disconnected, draining."""

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta

from opsctl.cause import launches, telling
from opsctl.cause.cause import Cause, Confidence, Evidence
from opsctl.cause.history import History
from opsctl.plural import counted
from opsctl.snapshot import start_logs
from opsctl.snapshot.instances import Activity, ContainerInstance, drained_by_hand
from opsctl.snapshot.snapshot import Snapshot
from opsctl.snapshot.stacks import StackEvent

_GROUP = "AWS::AutoScaling::AutoScalingGroup"
_SIGNAL = re.compile(
    r"Failed to receive \d+ resource signal|FAILURE signal|signal\(?s?\)? .*(?:timed? ?out|expired)"
    r"|Received \d+ .*signal",
    re.IGNORECASE,
)
# The rollback has removed the log groups together with the instances.
_CORRECT = "correct what its start needs, then run: opsctl ecs up"
# An instance that cannot start sends no logs, and takes no tasks.
_REPLACE = "correct what its start needs, then replace it: opsctl ecs roll-instances"
_FIRST_MINUTES = timedelta(minutes=3)
_RECONNECTING = timedelta(seconds=10)
# Matches an event of the group's resource that itself says why EC2 refused to launch.
_LAUNCH = re.compile(
    r"launch|capacity|quota|instance type|key ?pair|instance profile|InvalidAMI|image id|"
    r"did not stabilize|limit",
    re.IGNORECASE,
)
AFTER_A_LAUNCH = frozenset(
    {
        *(
            "instance-never-joined",
            "signal-missing",
            "no-instance",
            "no-room",
            "agent-disconnected",
        ),
        *("resource-failed", "breaker-tripped", "no-progress", "service-limit"),
    }
)


def cannot_launch(history: History) -> Iterator[Cause]:
    """Yield a Cause when EC2 refuses to launch, known from the group's activities or only from
    stack events.
    """
    refused = [one for one in history.activities.values() if _refused(one)]
    refused = [one for one in refused if not _later_success(history, one)]
    events = [event for event in _of_group(history) if not _SIGNAL.search(event.reason)]
    events = [event for event in events if _LAUNCH.search(event.reason)]
    quote = _newest(refused).message if refused else (events[-1].reason if events else "")
    if not quote:
        return
    evidence = [
        Evidence("autoscaling DescribeScalingActivities", telling.quoted(one.message), one.time)
        for one in sorted(refused, key=_when)[-2:]
    ]
    evidence += [_event(event) for event in events[-1:]]
    words, next = launches.refusal(quote)
    group = history.now.group
    short = group is not None and len(group.instances) < group.desired
    whole = group is not None and not group.gone and len(group.members) >= group.desired
    yield Cause(
        "asg-cannot-launch",
        f"the Auto Scaling group cannot launch an instance: {words}: {telling.quoted(quote)}",
        "certain" if short or events or history.ended_badly or group is None else "likely",
        tuple(evidence),
        next,
        # What it refused for a larger group, perhaps weeks ago, is not missing now.
        over=whole and not events and not history.ended_badly,
        count=max(len(refused), 1),
        explains=AFTER_A_LAUNCH,
    )


def never_joined(history: History) -> Iterator[Cause]:
    """Yield a Cause for instances of the group that never registered with the cluster."""
    absent = sorted(history.absent - set(history.instances))
    now_absent = [one for one in _present(history) if one in absent]
    given_up = history.ended_badly or bool(_of_group(history))
    if not absent or not (now_absent or given_up):
        return
    some = bool([one for one in history.now.instances if one.takes_tasks])
    logs = _start_logs(history, absent)
    last = f", and the console last said: {logs[0].quote}" if logs else ""
    yield Cause(
        "instance-never-joined",
        f"{counted(len(absent), 'instance')} of the group never joined the cluster "
        f"`{history.now.names.cluster}`: {', '.join(absent[:3])}{last}",
        _sure_of_absence(history, some=some),
        (
            Evidence(
                "autoscaling DescribeAutoScalingGroups", f"in the group: {', '.join(absent[:3])}"
            ),
            Evidence(
                "ecs ListContainerInstances",
                f"{counted(len(history.now.instances), 'instance')} registered",
                history.now.at,
            ),
            *logs,
        ),
        _next(history, absent[0], has_words=bool(logs), given_up=given_up),
        count=len(absent),
        explains=frozenset(
            {"signal-missing", "resource-failed", "no-instance", "breaker-tripped", "no-progress"}
            if not some
            else {"resource-failed"}
        ),
    )


def _next(history: History, instance: str, *, has_words: bool, given_up: bool) -> str:
    if has_words:
        return _CORRECT if given_up else _REPLACE
    state = history.now.stack("ecs")
    if given_up and (state is None or state.status.startswith(("ROLLBACK", "DELETE"))):
        # The log groups went with the instances.
        return (
            "what it said itself: aws ec2 get-console-output --output text --instance-id "
            f"{instance}"
        )
    return telling.JOIN_LOGS


def signal_missing(history: History) -> Iterator[Cause]:
    events = [event for event in _of_group(history) if _SIGNAL.search(event.reason)]
    if not events:
        return
    failed = "FAILURE" in events[0].reason
    ids = sorted(history.now.start_logs)
    logs = _start_logs(history, ids)
    last = f", and its console last said: {logs[0].quote}" if logs else ""
    what = (
        "an instance says that its start failed"
        if failed
        else ("no instance signalled in time that it had started")
    )
    yield Cause(
        "signal-missing",
        f"{what}{last} ({telling.brief(events[0].reason)})",
        "certain",
        (*map(_event, events[:2]), *logs),
        _CORRECT,
        explains=frozenset({"resource-failed", "no-instance", "stack-stuck"}),
    )


def disconnected(history: History) -> Iterator[Cause]:
    silent = _silent(history.now)
    # A reconnection is not what is wrong; `status` shows it, and `why` looks again.
    if not silent or may_reconnect(history):
        return
    every = len(silent) == len(history.now.instances)
    number = "all" if every else f"{len(silent)} of {len(history.now.instances)}"
    yield Cause(
        "agent-disconnected",
        f"the ECS agent of {number} instances is disconnected: "
        f"{', '.join(one.id for one in silent[:3])}: their tasks run on, and nothing can be "
        "started or stopped there",
        _sure_of_silence(history),
        tuple(
            Evidence(f"instance {one.id}", f"{one.status}, agentConnected false", history.now.at)
            for one in silent[:3]
        ),
        telling.JOIN_LOGS,
        count=len(silent),
        explains=frozenset({"no-room", "no-instance", "no-progress", "breaker-tripped"}),
    )


def may_reconnect(history: History) -> bool:
    """Return whether an agent is disconnected that may well be back within seconds."""
    return bool(_silent(history.now)) and _sure_of_silence(history) == "possible"


def _silent(now: Snapshot) -> list[ContainerInstance]:
    return [one for one in now.instances if not one.connected]


def _sure_of_silence(history: History) -> Confidence:
    """Return how certain a disconnected agent is. Each reconnects about every half hour, within
    seconds; not all of several at the same time.
    """
    lasts = history.now.at - min(history.silent.values(), default=history.now.at)
    if lasts >= _FIRST_MINUTES or 1 < len(_silent(history.now)) == len(history.now.instances):
        return "certain"
    return "likely" if lasts >= _RECONNECTING else "possible"


def no_instance(history: History) -> Iterator[Cause]:
    """Yield a Cause when the service wants tasks and the cluster has no instance."""
    now = history.now
    if not now.holds("instances", "service") or now.service is None or now.instances:
        return
    if now.service.desired == 0 or (state := now.stack("ecs")) is None or state.in_progress:
        return
    why = _empty(now)
    yield Cause(
        "no-instance",
        f"the cluster has no instance{why}",
        "certain",
        (Evidence("ecs ListContainerInstances", "0 registered", now.at),),
        "opsctl ecs up --revert-drift" if why else "opsctl ecs up",
        explains=frozenset(
            {"no-room", "no-progress", "target-unhealthy", "tasks-missing", "instance-lost"}
        ),
    )


def _empty(now: Snapshot) -> str:
    """Return why the group launches no instance, as the end of a sentence, or ''."""
    group = now.group
    if group is None:
        return ""
    if group.gone:
        return f": the group `{group.name}` is not there, somebody deleted it"
    return f": the group `{group.name}` is set to 0" if group.desired == 0 else ""


def activate(now: Snapshot, instances: Sequence[ContainerInstance]) -> str:
    """Return the command that lets draining instances take tasks again."""
    return (
        f"aws ecs update-container-instances-state --cluster {now.names.cluster} --status ACTIVE "
        f"--container-instances {' '.join(one.arn for one in instances)}"
    )


def draining(history: History) -> Iterator[Cause]:
    """Yield a Cause when every container instance is DRAINING, so that no task can be placed, or
    when somebody set one so by hand.
    """
    now = history.now
    gone = [one for one in now.instances if one.status == "DRAINING"]
    every = not any(one.takes_tasks for one in now.instances)
    held = drained_by_hand(now.instances, now.group)
    if not gone or not (every or held):
        return
    shown = gone if every else held
    ids = ", ".join(one.id for one in held[:3])
    yield Cause(
        "instances-draining",
        f"all {counted(len(gone), 'instance')} are draining: no task can be placed"
        if every
        else f"somebody set {ids} to DRAINING: no task is placed there",
        "certain",
        tuple(Evidence(f"instance {one.id}", "DRAINING", now.at) for one in shown[:3]),
        f"to let it take tasks again: {activate(now, held)}" if held else "opsctl ecs up",
        hinders=every,
        explains=frozenset({"no-room", "no-progress", "no-instance"}),
    )


def _present(history: History) -> tuple[str, ...]:
    group = history.now.group
    return tuple(one.id for one in group.instances) if group else ()


def _sure_of_absence(history: History, *, some: bool) -> Confidence:
    """Return how certain it is that an instance never joined: one just launched may still join."""
    state = history.now.stack("ecs")
    given_up = history.ended_badly or any(_SIGNAL.search(one.reason) for one in _of_group(history))
    if given_up and not some:
        return "certain"
    if state is not None and state.in_progress and not given_up:
        return "possible"
    launched = telling.newest(
        [one.time for one in history.activities.values() if one.description.startswith("Launching")]
    )
    young = launched is not None and history.now.at - launched < _FIRST_MINUTES
    if young:
        return "possible" if some else "likely"
    return "likely" if some else "certain"


def _refused(activity: Activity) -> bool:
    launch = not activity.description.startswith("Terminating")
    return launch and activity.status in ("Failed", "Cancelled") and bool(activity.message)


def _later_success(history: History, refused: Activity) -> bool:
    """Return whether a launch succeeded after `refused`, which is then over."""
    times = [
        one.time
        for one in history.activities.values()
        if one.status == "Successful" and one.description.startswith("Launching")
    ]
    return any(time and refused.time and time > refused.time for time in times)


def _of_group(history: History) -> list[StackEvent]:
    return [
        event
        for event in history.stack_events.values()
        if event.is_cause and event.resource_type == _GROUP
    ]


def _newest(activities: Sequence[Activity]) -> Activity:
    return max(activities, key=_when)


def _when(activity: Activity) -> float:
    return activity.time.timestamp() if activity.time else 0.0


def _event(event: StackEvent) -> Evidence:
    return Evidence(
        "cloudformation DescribeStackEvents",
        f"{event.logical_id} {event.status}: {telling.quoted(event.reason)}",
        event.time,
    )


def _start_logs(history: History, ids: Sequence[str]) -> list[Evidence]:
    logs = history.now.start_logs
    return [
        Evidence(f"console of {one}", telling.quoted(_worst(logs[one])))
        for one in ids
        if logs.get(one)
    ][:2]


def _worst(lines: Sequence[str]) -> str:
    """Return the last line that speaks of an error, else the last line."""
    told = lines[1:] if start_logs.gave_up(lines) else lines
    spoken = [
        line
        for line in told
        if re.search(r"error|fail|cannot|could not|denied|no space", line, re.I)
        # cfn-init's last line, after the output of the command.
        and "Exited with error code" not in line
    ]
    return spoken[-1] if spoken else lines[-1]


RULES = (
    cannot_launch,
    never_joined,
    signal_missing,
    disconnected,
    no_instance,
    draining,
)
