"""Read a snapshot, every part in its own thread: it takes as long as the longest chain of calls
that depend on each other.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from opsctl import aws
from opsctl.errors import AwsError
from opsctl.snapshot import (
    alarms,
    cache,
    cache_use,
    identity,
    image_users,
    instances,
    lines,
    locks,
    log_groups,
    machine_images,
    mute_rules,
    parameters,
    registry_images,
    releases,
    secret_versions,
    secrets,
    security_groups,
    stacks,
    start_logs,
    subnets,
    taken,
    targets,
    task_definitions,
)
from opsctl.snapshot.alarms import AlarmChange, AlarmHistory, AlarmState
from opsctl.snapshot.cache import Backup, Cache
from opsctl.snapshot.cache_use import CacheUse
from opsctl.snapshot.identity import Identity
from opsctl.snapshot.instances import ContainerInstance, Group
from opsctl.snapshot.locks import Lock
from opsctl.snapshot.log_groups import LogGroup
from opsctl.snapshot.machine_images import MachineImage
from opsctl.snapshot.mute_rules import MuteRule
from opsctl.snapshot.registry_images import RegistryImage
from opsctl.snapshot.releases import Release
from opsctl.snapshot.renamed import Renamed
from opsctl.snapshot.secret_versions import SecretVersion
from opsctl.snapshot.secrets import Secret
from opsctl.snapshot.security_groups import SecurityGroup
from opsctl.snapshot.service import Service
from opsctl.snapshot.snapshot import Kind, Look, Names, Part, Snapshot, Unread
from opsctl.snapshot.stacks import StackEvent, StackState
from opsctl.snapshot.subnets import Subnet
from opsctl.snapshot.taken import Named
from opsctl.snapshot.targets import Listener, Target, TargetGroup
from opsctl.snapshot.task_definitions import TaskDefinition
from opsctl.snapshot.tasks import Task, ended
from opsctl.snapshot.together import run, together

if TYPE_CHECKING:
    from opsctl.aws import Clients

# Optional parts: requested once, without retries, and left out when there is no answer.
_OPTIONAL: frozenset[Part] = frozenset({"mute_rules"})
_LINES_OF = 8  # stopped tasks, newest first, whose last lines one snapshot reads
# Stack outputs that name the security groups between the instances and the cache.
_SECURITY_GROUPS: Mapping[Kind, str] = {"db": "SecurityGroup", "ecs": "InstanceSecurityGroup"}
_TRIES = 10  # reads of a task's log stream before the task counts as having written nothing


class Reader:
    """Reads snapshots of one system. Remembers what never changes: task definitions, last lines,
    and the past of alarms.

    With `patient`, a part without an answer is retried for minutes, and then raises. Without, it is
    named in `unread` at once. `now` is this machine's clock; snapshots have AWS's time.
    """

    def __init__(
        self,
        clients: "Clients",
        names: Names,
        *,
        patient: bool = True,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.clients = clients
        self.names = names
        self.patient = patient
        self.now = now
        self.definitions: dict[str, TaskDefinition] = {}
        self.lines: dict[str, tuple[str, ...]] = {}
        self.tries = Counter[str]()
        self.alarm_histories: dict[str, AlarmHistory] = {}

    def __call__(self, look: Look) -> Snapshot:
        """Raises botocore's error when AWS does not answer or refuses the credentials."""
        return _Reading(self, look).run()


class _Reading:
    """Reads one snapshot. A part waits only for the parts that it needs."""

    def __init__(self, reader: Reader, look: Look) -> None:
        self.reader, self.look = reader, look
        self.clients, self.names = reader.clients, reader.names
        self.renamed = Renamed(reader.clients, reader.names)
        # part -> (the parts it needs, how to read it from them). Needed parts come first.
        self.reads: Mapping[Part, tuple[tuple[Part, ...], Callable[..., Any]]] = {
            "stacks": ((), self._stacks),
            "events": ((), self._events),
            "service": ((), self.renamed.service),
            "tasks": ((), self.renamed.tasks),
            "instances": ((), self.renamed.instances),
            "cache": ((), self.renamed.cache),
            "alarms": ((), self._alarms),
            "subnets": ((), self._subnets),
            "newest_image": ((), self._newest_image),
            "taken": ((), self._taken),
            "alarm_changes": (("alarms",), self._alarm_changes),
            "mute_rules": ((), self._mute_rules),
            "stack_events": (("stacks",), self._stack_events),
            "backups": ((), self._backups),
            "locks": ((), self._locks),
            "releases": ((), self._releases),
            "revisions": ((), self._revisions),
            "secret_versions": ((), self._secret_versions),
            "image_users": ((), self._image_users),
            "secrets": ((), self._secrets),
            "group": ((), self._named_group) if look.group else (("stacks",), self._group),
            "task_definitions": (("service", "tasks"), self._task_definitions),
            "deregistered": (("stacks",), self._deregistered),
            "targets": (("service",), self._targets),
            "listener": (("service",), self._listener),
            "lines": (("tasks", "task_definitions"), self._last_lines),
            **self._for_causes(),
        }
        needed = _with_needs(self.reads, look.parts)
        self.futures: dict[Part, Future[Any]] = {
            part: Future() for part in self.reads if part in needed
        }

    def _for_causes(self) -> Mapping[Part, tuple[tuple[Part, ...], Callable[..., Any]]]:
        """Return the readers of parts that only the cause rules need."""
        return {
            "identity": ((), self._identity),
            "service_deployments": ((), self.renamed.service_deployments),
            "app_errors": ((), self._app_errors),
            "cache_use": (("cache",), self._cache_use),
            "failures": (("stacks",), self._failures),
            "security_groups": (("stacks", "target_groups"), self._security_groups),
            "target_groups": (("service",), self._target_groups),
            "start_logs": (("group", "instances"), self._start_logs),
            "machine_images": (("instances",), self._machine_images),
            "registry_images": (("task_definitions", "stacks"), self._registry_images),
            "log_groups": (("stacks", "task_definitions"), self._log_groups),
            "recent_lines": (("tasks", "task_definitions"), self._recent_lines),
        }

    def run(self) -> Snapshot:
        began = self.reader.now()
        together([partial(self._read, part) for part in self.futures])
        values: dict[str, Any] = {}
        unread: list[Unread] = []
        for part, future in self.futures.items():
            try:
                values[part] = future.result()
            except Exception as error:
                fault = aws.fault(error)
                needed = self.reader.patient and part not in _OPTIONAL
                if fault is None or (needed and fault != "refused"):
                    raise
                unread.append(_unread(part, error))
        failed = self.clients.failed.take()
        at = self.clients.clock.corrected(began)
        return Snapshot(
            at, self.names, self.look, **values, failed_calls=failed, unread=tuple(unread)
        )

    def _now(self) -> datetime:
        return self.clients.clock.corrected(self.reader.now())

    def _read(self, part: Part) -> None:
        needs, read = self.reads[part]

        def call() -> Any:
            known = [self.futures[need].result() for need in needs]
            with aws.understood(part):
                return read(*known)

        run(self.futures[part], call)

    def _stacks(self) -> dict[Kind, StackState]:
        describe = partial(stacks.describe, self.clients.cloudformation)
        names = self.names.stacks
        states = together([partial(describe, names[kind]) for kind in self.look.stacks])
        pairs = zip(self.look.stacks, states, strict=True)
        return {
            kind: replace(state, foreign=self.names.foreign(state.tags))
            for kind, state in pairs
            if state is not None
        }

    def _events(self) -> tuple[StackEvent, ...]:
        return stacks.events(self.clients.cloudformation, self.look.events_of, self.look.after)

    def _alarms(self) -> tuple[AlarmState, ...]:
        return alarms.read(self.clients.cloudwatch, self.names.alarms)

    def _mute_rules(self) -> tuple[MuteRule, ...]:
        once = self.clients.cloudwatch_once
        return mute_rules.read(once, self.names.alarms, self._now())

    def _alarm_changes(self, states: tuple[AlarmState, ...]) -> tuple[AlarmChange, ...]:
        since = self.look.since or self._now()
        wanted = [one for one in states if self.look.alarm in ("", one.name)]
        return alarms.changes(self.clients.cloudwatch, wanted, since, self.reader.alarm_histories)

    def _stack_events(self, states: Mapping[Kind, StackState]) -> tuple[StackEvent, ...]:
        since = self.look.since or self._now()
        read = partial(stacks.events_since, self.clients.cloudformation, since=since)
        events = chain(*together([partial(read, state.id) for state in states.values()]))
        return tuple(sorted(events, key=lambda event: event.time))

    def _subnets(self) -> tuple[Subnet, ...]:
        return subnets.read(self.clients.ec2, self.names.subnets)

    def _newest_image(self) -> str:
        name = self.names.image_parameter
        return parameters.value(self.clients.ssm, name) if name else ""

    def _taken(self) -> tuple[Named, ...]:
        return taken.read(self.clients, self.look.wanted)

    def _backups(self) -> tuple[Backup, ...]:
        elasticache, replicated = self.clients.elasticache, self.names.replicated
        return cache.backups(elasticache, self.names.cache, replicated=replicated)

    def _locks(self) -> dict[Kind, Lock]:
        names, system = self.names.stacks, self.names.system
        read = partial(locks.read, self.clients.ssm, system)
        kept = together([partial(read, names[kind]) for kind in self.look.stacks])
        return {kind: all[-1] for kind, all in zip(self.look.stacks, kept, strict=True) if all}

    def _releases(self) -> tuple[Release, ...]:
        look = self.look
        return releases.read(self.clients.ssm, self.names.system, look.releases, look.numbers)

    def _revisions(self) -> tuple[TaskDefinition, ...]:
        return task_definitions.newest(self.clients.ecs, self.names.family)

    def _secret_versions(self) -> tuple[SecretVersion, ...]:
        return secret_versions.read(self.clients, self.names.secrets)

    def _image_users(self) -> frozenset[str]:
        return image_users.read(self.clients.ecs)

    def _secrets(self) -> tuple[Secret, ...]:
        return secrets.read(self.clients, self.names.secrets)

    def _named_group(self) -> Group:
        return instances.group(self.clients.autoscaling, self.look.group)

    def _group(self, states: Mapping[Kind, StackState]) -> Group | None:
        ecs = states.get("ecs")
        name = ecs.outputs.get("AutoScalingGroupName", "") if ecs else ""
        if ecs is not None and not name:
            # During creation and after a rollback the stack has no outputs.
            name = stacks.physical_id(self.clients.cloudformation, ecs.id, "AutoScalingGroup")
        return instances.group(self.clients.autoscaling, name) if name else None

    def _task_definitions(
        self, service: Service | None, tasks: tuple[Task, ...]
    ) -> tuple[TaskDefinition, ...]:
        """Read those of all deployments, and of stopped tasks whose lines may be read."""
        arns = [one.task_definition for one in service.deployments] if service else []
        arns += [task.task_definition for task in ended(tasks)]
        known, unique = self.reader.definitions, tuple(dict.fromkeys(arns))
        describe = partial(task_definitions.describe, self.clients.ecs)
        new = [arn for arn in unique if arn not in known]
        known.update(zip(new, together([partial(describe, arn) for arn in new]), strict=True))
        return tuple(known[arn] for arn in unique)

    def _deregistered(self, states: Mapping[Kind, StackState]) -> str:
        state = states.get("ecs")
        own = state.outputs.get("TaskDefinitionArn", "") if state and not state.in_progress else ""
        return task_definitions.deregistered(self.clients.ecs, own) if own else ""

    def _targets(self, service: Service | None) -> tuple[Target, ...]:
        read = partial(targets.read, self.clients.elbv2)
        groups = service.target_groups if service else ()
        return tuple(chain(*together([partial(read, group) for group in groups])))

    def _listener(self, service: Service | None) -> Listener | None:
        groups = service.target_groups if service else ()
        listeners = (targets.listener(self.clients.elbv2, group) for group in groups)
        return next(filter(None, listeners), None)

    def _last_lines(
        self, tasks: tuple[Task, ...], definitions: tuple[TaskDefinition, ...]
    ) -> dict[str, tuple[str, ...]]:
        """Keep lines once there are some. They arrive late, so a task without any is read again."""
        by_arn = {one.arn: one for one in definitions}
        known, tries = self.reader.lines, self.reader.tries
        new = [
            task
            for task in ended(tasks)
            if task.id not in known and tries[task.id] < _TRIES and task.task_definition in by_arn
        ][:_LINES_OF]
        tries.update(task.id for task in new)
        last = partial(lines.last, self.clients.logs)
        read = together(
            [partial(last, by_arn[one.task_definition], one.id, first=one.culprits) for one in new]
        )
        known.update({task.id: written for task, written in zip(new, read, strict=True) if written})
        return dict(known)

    def _recent_lines(
        self, tasks: tuple[Task, ...], definitions: tuple[TaskDefinition, ...]
    ) -> dict[str, tuple[str, ...]]:
        return lines.recent(self.clients.logs, tasks, definitions, self._now())

    def _app_errors(self) -> tuple[str, ...]:
        group = self.names.log_groups.get("app", "")
        now = self._now()
        return lines.errors(self.clients.logs, group, now) if group else ()

    def _identity(self) -> Identity:
        return identity.read(self.clients)

    def _cache_use(self, cache: Cache | None) -> CacheUse | None:
        # Roles are not known in cluster mode.
        nodes = [node.id for node in cache.nodes if node.role != "replica"] if cache else []
        if not nodes:
            return None
        return cache_use.read(self.clients.cloudwatch, nodes, self._now())

    def _failures(self, states: Mapping[Kind, StackState]) -> tuple[StackEvent, ...]:
        read = partial(stacks.failures, self.clients.cloudformation)
        troubled = [state.id for state in states.values() if state.troubled]
        return tuple(chain(*together([partial(read, id) for id in troubled])))

    def _security_groups(
        self, states: Mapping[Kind, StackState], groups: tuple[TargetGroup, ...]
    ) -> tuple[SecurityGroup, ...]:
        outputs = ((states.get(kind), output) for kind, output in _SECURITY_GROUPS.items())
        ids = [state.outputs.get(output, "") for state, output in outputs if state]
        ids += [id for group in groups for id in group.security_groups]
        return security_groups.read(self.clients.ec2, ids)

    def _target_groups(self, service: Service | None) -> tuple[TargetGroup, ...]:
        return targets.groups(self.clients.elbv2, service.target_groups if service else ())

    def _start_logs(
        self, group: Group | None, joined: tuple[ContainerInstance, ...]
    ) -> dict[str, tuple[str, ...]]:
        absent = (*start_logs.absent(group, joined), *self.look.consoles)
        return start_logs.read(self.clients.ec2, dict.fromkeys(absent))

    def _machine_images(self, joined: tuple[ContainerInstance, ...]) -> tuple[MachineImage, ...]:
        return machine_images.read(self.clients.ec2, (one.image for one in joined))

    def _registry_images(
        self, definitions: tuple[TaskDefinition, ...], states: Mapping[Kind, StackState]
    ) -> tuple[RegistryImage, ...]:
        if not definitions:
            return ()
        references = (image for one in definitions for image in one.images)
        own = states["ecr"].outputs.get("RepositoryUri", "") if "ecr" in states else ""
        region, account = definitions[0].arn.split(":")[3:5]
        return registry_images.read(
            self.clients.ecr, references, account=account, region=region, own=own
        )

    def _log_groups(
        self, states: Mapping[Kind, StackState], definitions: tuple[TaskDefinition, ...]
    ) -> tuple[LogGroup, ...]:
        return log_groups.read(self.clients.logs, log_groups.names(states.get("ecs"), definitions))


def _with_needs(
    reads: Mapping[Part, tuple[tuple[Part, ...], Callable[..., Any]]], parts: Iterable[Part]
) -> set[Part]:
    needed, waiting = set[Part](), list(parts)
    while waiting:
        part = waiting.pop()
        if part not in needed:
            needed.add(part)
            waiting += reads[part][0]
    return needed


def _unread(part: Part, error: Exception) -> Unread:
    refusal = aws.translate(error)
    assert refusal is not None  # every error that reaches this has a translation
    operation = refusal.operation if isinstance(refusal, AwsError) else ""
    return Unread(
        part, refusal.message, refusal.hint, operation, aws.code(error), cause=refusal.cause
    )
