"""The life of one task: placed, pulled, started, running, drained, stopped, forgotten.

The reasons are texts of the ECS agent and API; `docs/simulation.md` names their sources.
"""

import re

from opsctl_sandbox.cluster import placement, targets
from opsctl_sandbox.cluster.failures import Failure
from opsctl_sandbox.cluster.intents import StartTask, StopTask, WriteLog
from opsctl_sandbox.cluster.values import (
    Container,
    Deployment,
    Instance,
    Service,
    Task,
    TaskDefinition,
)
from opsctl_sandbox.cluster.world import World

KILLED = 137
TERMINATED = 143
FAILED_TO_START = "TaskFailedToStart"
ESSENTIAL_EXITED = "EssentialContainerExited"

_UNTIL_AGENT_RETURNS = 10.0
_TAG = re.compile(r":[^:/]*$")


def create(
    world: World,
    instance: Instance,
    definition: TaskDefinition,
    *,
    group: str,
    deployment: Deployment | None = None,
    started_by: str = "",
) -> Task:
    """Create a placed task, which holds its CPU, memory and fixed ports from now on."""
    identifier = world.identifier()
    digests = deployment.digests if deployment else {}
    task = Task(
        arn=world.arn("ecs", f"task/{instance.cluster}/{identifier}"),
        id=identifier,
        cluster=instance.cluster,
        definition=definition,
        created=world.now,
        group=group,
        service=group.removeprefix("service:") if deployment else "",
        deployment=deployment.id if deployment else "",
        instance=instance.id,
        started_by=started_by or (deployment.id if deployment else ""),
        host_ports=tuple(p.host_port for p in definition.ports if p.host_port),
        containers=[
            Container(c["name"], c["image"], digest=digests.get(c["image"], ""))
            for c in definition.containers
        ],
    )
    world.tasks[task.arn] = task
    world.after(world.about(world.timings.provision), _pend, world, task)
    return task


def _subject(task: Task) -> str:
    return f"{task.definition.images} {task.definition.arn} {task.service} {task.instance}"


def _pend(world: World, task: Task) -> None:
    if task.status != "PROVISIONING":
        return
    task.status = "PENDING"
    task.pull_started = world.now
    failure = world.failures.take(("secret-missing",), _subject(task), world.now)
    gone = [name for name in _secrets(task) if not world.holds("secret", name)]
    if gone and not failure:
        failure = Failure("secret-missing")
    if failure:
        name = next(iter(gone or _secrets(task)), "the secret")
        world.after(world.about(2.0), _refuse, world, task, failure.reason or _secret(world, name))
        return
    failure = world.failures.take(("image-missing", "pull-denied"), _subject(task), world.now)
    missing = [c for c in task.containers if not c.digest and world.digest_of(c.image) is None]
    if missing and not failure:
        failure = Failure("image-missing", match=missing[0].image)
    if failure:
        world.after(world.about(3.0), _refuse_container, world, task, _pull_error(task, failure))
        return
    world.after(world.about(world.timings.pull), _pulled, world, task)


def _secrets(task: Task) -> list[str]:
    return [one["valueFrom"] for c in task.definition.containers for one in c.get("secrets") or ()]


def _log_groups(task: Task) -> list[str]:
    """Return the log groups that the awslogs driver writes to and does not create itself."""
    configurations = (c.get("logConfiguration") or {} for c in task.definition.containers)
    options = [
        one.get("options") or {} for one in configurations if one.get("logDriver") == "awslogs"
    ]
    return [
        one["awslogs-group"]
        for one in options
        if "awslogs-group" in one and one.get("awslogs-create-group") != "true"
    ]


def _secret(world: World, name: str) -> str:
    if ":ssm:" in name or name.startswith("/"):
        return (
            f"Fetching secret data from SSM Parameter Store in {world.region}: "
            f"invalid parameters: {name.rsplit(':parameter', 1)[-1]}"
        )
    return (
        f"Fetching secret data from AWS Secrets Manager in region {world.region}: "
        f"secret {name}: ResourceNotFoundException: "
        "Secrets Manager can't find the specified secret."
    )


def _pull_error(task: Task, failure: Failure) -> str:
    image = task.containers[0].image
    if failure.reason:
        return failure.reason
    if failure.kind == "image-missing":
        return (
            f"CannotPullContainerError: Error response from daemon: manifest for {image} "
            "not found: manifest unknown: Requested image not found"
        )
    repository = _TAG.sub("", image.partition("@")[0])
    return (
        f"CannotPullContainerError: Error response from daemon: pull access denied for "
        f"{repository}, repository does not exist or may require 'docker login': denied: "
        "User is not authorized to perform: ecr:BatchGetImage on the repository because no "
        "identity-based policy allows the ecr:BatchGetImage action"
    )


def _pulled(world: World, task: Task) -> None:
    if task.status != "PENDING":
        return
    task.pull_stopped = world.now
    for container in task.containers:
        container.digest = container.digest or world.digest_of(container.image) or ""
    failure = world.failures.take(("log-group-missing", "port-taken"), _subject(task), world.now)
    if not failure and any(not world.holds("log group", one) for one in _log_groups(task)):
        failure = Failure("log-group-missing")
    if failure:
        reason = failure.reason or _start_error(task, failure)
        world.after(
            world.about(world.timings.start_container), _refuse_container, world, task, reason
        )
        return
    world.after(world.about(world.timings.start_container), _start, world, task)


def _start_error(task: Task, failure: Failure) -> str:
    prefix = "CannotStartContainerError: Error response from daemon: "
    if failure.kind == "log-group-missing":
        return prefix + (
            "failed to initialize logging driver: failed to create Cloudwatch log stream: "
            "operation error CloudWatch Logs: CreateLogStream, "
            "ResourceNotFoundException: The specified log group does not exist."
        )
    fixed = task.host_ports or (80,)
    return prefix + (
        "driver failed programming external connectivity on endpoint "
        f"ecs-{task.definition.family}: Bind for 0.0.0.0:{fixed[0]} failed: "
        "port is already allocated"
    )


def _start(world: World, task: Task) -> None:
    if task.status != "PENDING":
        return
    instance = world.instances[task.instance]
    ports: list[tuple[str, int, int]] = []
    taken: set[int] = set(task.host_ports)
    for mapping in task.definition.ports:
        host = mapping.host_port or placement.dynamic_port(world, instance, frozenset(taken))
        taken.add(host)
        ports.append((mapping.container, mapping.container_port, host))
    doomed = world.failures.take(
        ("crash-at-start", "out-of-memory", "wrong-architecture"), _subject(task), world.now
    )
    task.status = "ACTIVATING"
    _hold(task, ports)
    if doomed or not world.real_tasks:
        world.after(world.about(world.timings.activate), _run, world, task, doomed)
    else:
        images = tuple((c.name, _by_digest(c)) for c in task.containers)
        world.emit(StartTask(task.arn, task.instance, task.definition, tuple(ports), images))


def _by_digest(container: Container) -> str:
    """Return the reference to pull: the pinned digest, not the tag's present image."""
    if not container.digest:
        return container.image
    repository, _, tag = container.image.split("@")[0].rpartition(":")
    named = repository if repository and "/" not in tag else container.image.split("@")[0]
    return f"{named}@{container.digest}"


def _hold(task: Task, ports: list[tuple[str, int, int]]) -> None:
    task.host_ports = tuple(host for _, _, host in ports)
    for container in task.containers:
        container.host_ports = tuple(
            (inside, host) for name, inside, host in ports if name == container.name
        )


def started(world: World, task: Task, ports: dict[int, int]) -> None:
    """Report that the task's process runs, on these ports."""
    if task.status != "ACTIVATING":
        return
    _hold(
        task,
        [
            (container.name, inside, ports.get(inside, host))
            for container in task.containers
            for inside, host in container.host_ports
        ],
    )
    _run(world, task, None)


def _run(world: World, task: Task, doomed: Failure | None) -> None:
    if task.status != "ACTIVATING":
        return
    task.status = "RUNNING"
    task.started = world.now
    for container in task.containers:
        container.status = "RUNNING"
    service = _service(world, task)
    for balancer in service.spec.load_balancers if service else ():
        targets.register(world, task, balancer)
    if doomed:
        world.after(doomed.after, _fall, world, task, doomed)


def _service(world: World, task: Task) -> Service | None:
    return world.services.get((task.cluster, task.service))


def _fall(world: World, task: Task, failure: Failure) -> None:
    lines, code, reason = failure.log_lines, failure.exit_code, failure.reason
    if failure.kind == "out-of-memory":
        code, reason = KILLED, reason or "OutOfMemoryError: Container killed due to memory usage"
    if failure.kind == "wrong-architecture":
        code, lines = 255, lines or ("exec /usr/local/bin/python: exec format error",)
    if task.status == "RUNNING":
        if lines:
            world.emit(WriteLog("task", task.arn, lines))
        exited(world, task, code, reason)


def exited(world: World, task: Task, code: int, reason: str = "") -> None:
    """Report that the essential container ended, by itself or because it was stopped."""
    if task.status in ("DEPROVISIONING", "STOPPED"):
        return
    for container in task.containers:
        container.status = "STOPPED"
        container.exit_code = code
        container.reason = container.reason or reason
    if task.desired == "RUNNING":
        _condemn(world, task, ESSENTIAL_EXITED, "Essential container in task exited")
    service = _service(world, task)
    targets.drain(world, task, service.spec.load_balancers if service else ())
    _deprovision(world, task)


def _refuse(world: World, task: Task, reason: str) -> None:
    if task.status != "PENDING":
        return
    _condemn(world, task, FAILED_TO_START, reason)
    _deprovision(world, task)


def _refuse_container(world: World, task: Task, reason: str) -> None:
    if task.status != "PENDING":
        return
    task.containers[0].reason = reason
    for container in task.containers:
        container.status = "STOPPED"
    _refuse(world, task, "Task failed to start")


def refused(world: World, task: Task, reason: str) -> None:
    """Report that the task's container could not be started: it never ran."""
    if task.status != "ACTIVATING":
        return
    task.containers[0].reason = reason
    for container in task.containers:
        container.status = "STOPPED"
    _condemn(world, task, FAILED_TO_START, "Task failed to start")
    _deprovision(world, task)


def _condemn(world: World, task: Task, code: str, reason: str) -> None:
    task.desired = "STOPPED"
    task.stopping = world.now
    task.stop_code = code
    task.stopped_reason = reason


def stop(world: World, task: Task, code: str, reason: str) -> None:
    """Stop a task: soon its targets drain, then it gets TERM, then its resources are released."""
    if task.desired == "STOPPED":
        return
    was = task.status
    _condemn(world, task, code, reason)
    if was in ("PROVISIONING", "PENDING"):
        _deprovision(world, task)
        return
    world.after(world.timings.notice_stop, _deactivate, world, task)


def _deactivate(world: World, task: Task) -> None:
    if task.status not in ("ACTIVATING", "RUNNING"):
        return
    task.status = "DEACTIVATING"
    service = _service(world, task)
    delay = targets.drain(world, task, service.spec.load_balancers if service else ())
    world.after(max(delay, world.timings.deactivate), _terminate, world, task)


def _terminate(world: World, task: Task) -> None:
    if task.status not in ("DEACTIVATING", "STOPPING"):
        return
    instance = world.instances.get(task.instance)
    if instance and instance.state != "terminated" and not instance.agent_connected:
        world.after(_UNTIL_AGENT_RETURNS, _terminate, world, task)
        return
    task.status = "STOPPING"
    patience = max([float(c.get("stopTimeout", 30)) for c in task.definition.containers] or [30.0])
    if world.real_tasks:
        world.emit(StopTask(task.arn, patience))
        world.after(patience + world.timings.answer_stop, exited, world, task, KILLED)
    else:
        world.after(world.about(world.timings.stop_container), exited, world, task, TERMINATED)


def _deprovision(world: World, task: Task) -> None:
    task.status = "DEPROVISIONING"
    world.after(world.about(world.timings.deprovision), _end, world, task)


def _end(world: World, task: Task) -> None:
    if task.status == "STOPPED":
        return
    task.status = "STOPPED"
    task.stopped = world.now
    for container in task.containers:
        container.status = "STOPPED"
    world.after(world.timings.remember_stopped, _forget, world, task)


def _forget(world: World, task: Task) -> None:
    world.tasks.pop(task.arn, None)


def lose(world: World, task: Task, reason: str) -> None:
    """End the task with its instance: no draining, no exit code."""
    if task.status == "STOPPED":
        return
    if task.desired == "RUNNING":
        _condemn(world, task, "TerminationNotice", reason)
    if world.real_tasks and task.status not in ("PROVISIONING", "PENDING"):
        world.emit(StopTask(task.arn, 0.0))
    targets.drain(world, task, ())
    _end(world, task)
