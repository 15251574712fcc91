"""ECS on EC2 as a pure, seeded simulation with its own clock: the interface for the sandbox.

It has no wall time, I/O or threads: the caller sets the time (`advance`), takes the intents
(`intents`) and may report what real processes did. The same seed and calls give the same history.
"""

import random
from collections.abc import Callable, Iterable

from opsctl_sandbox.cluster import (
    capacity,
    definitions,
    deployments,
    instances,
    placement,
    scaling,
    services,
    targets,
    tasks,
)
from opsctl_sandbox.cluster.failures import Failure, Failures
from opsctl_sandbox.cluster.intents import Intent
from opsctl_sandbox.cluster.timings import Timings
from opsctl_sandbox.cluster.values import (
    CapacityProvider,
    Document,
    Group,
    GroupSpec,
    Hook,
    Instance,
    LoadBalancer,
    ScalableTarget,
    Service,
    ServiceSpec,
    Target,
    Task,
    TaskDefinition,
)
from opsctl_sandbox.cluster.world import Need, World

_TWO_DAYS = 48 * 3600.0


class Engine:
    """One simulated Region. Read its state from `world`; change it only through methods."""

    def __init__(
        self,
        seed: int = 0,
        *,
        timings: Timings | None = None,
        failures: Iterable[Failure] = (),
        account: str = "000000000000",
        region: str = "us-east-1",
        real_tasks: bool = False,
        digest_of: Callable[[str], str | None] = lambda image: "",
        holds: Callable[[Need, str], bool] = lambda need, name: True,
    ) -> None:
        """With `real_tasks`, events come from outside; without, the clocks of `timings` decide.

        A placed task then waits for `task_started`, a stopping one for `task_exited` (after its
        stop timeout and `answer_stop` it ends with exit code 137), a target for `target_health`.

        `digest_of` is the registry: it returns an image's digest, '' when unknown, None when
        missing. `holds` says whether a log group or secret that a task needs exists, and the
        machine image that an instance starts from.
        """
        self.world = World(
            random.Random(seed),
            timings or Timings(),
            Failures(list(failures)),
            account,
            region,
            real_tasks,
            digest_of=digest_of,
            holds=holds,
        )

    # -- time and the outside --------------------------------------------------------------------

    def advance(self, to: float) -> None:
        """Run everything up to simulated second `to`; an earlier time changes nothing."""
        self.world.run(to)

    def intents(self) -> list[Intent]:
        """Return what the simulation wants done since the last call, oldest first."""
        taken, self.world.outbox = self.world.outbox, []
        return taken

    def task_started(self, task: str, ports: dict[int, int] | None = None) -> None:
        """Report that the task's containers run. `ports` maps container ports to real host ports.

        An unknown or stopped task is ignored.
        """
        if task in self.world.tasks:
            tasks.started(self.world, self.world.tasks[task], ports or {})

    def task_refused(self, task: str, reason: str) -> None:
        """Report that the task's container could not be started, for lack of an image or room."""
        if task in self.world.tasks:
            tasks.refused(self.world, self.world.tasks[task], reason)

    def task_exited(self, task: str, code: int, reason: str = "") -> None:
        """Report that the task's essential container ended, by itself or after `StopTask`."""
        if task in self.world.tasks:
            tasks.exited(self.world, self.world.tasks[task], code, reason)

    def target_health(
        self,
        target_group: str,
        instance: str,
        port: int,
        ok: bool,
        reason: str = "",
        description: str = "",
    ) -> None:
        """Report one health check. `reason` is an Elbv2 reason code.

        For example `Target.Timeout`, `Target.FailedHealthChecks`. Thresholds are counted here;
        planned failures of targets override what was seen.
        """
        target = self.world.targets.get((target_group, instance, port))
        balancer = self._balancer(target) if target else None
        if target and balancer:
            targets.observe(
                self.world, target, balancer, ok=ok, reason=reason, description=description
            )

    def deregister_target(self, target_group: str, instance: str, port: int | None) -> None:
        """Deregister a target of a task by hand; without a port every target of the instance."""
        for target in list(self.world.targets.values()):
            same = (target.target_group, target.instance) == (target_group, instance)
            if same and port in (None, target.port):
                balancer = self._balancer(target)
                delay = balancer.deregistration_delay if balancer else 0.0
                targets.deregister(self.world, target, delay)

    def _balancer(self, target: Target) -> LoadBalancer | None:
        task = self.world.tasks.get(target.task)
        service = self.world.services.get((task.cluster, task.service)) if task else None
        balancers = service.spec.load_balancers if service else ()
        return next((b for b in balancers if b.target_group == target.target_group), None)

    def plan_failures(self, failures: Iterable[Failure]) -> None:
        """Replace the planned failures."""
        self.world.failures.replace(tuple(failures))

    # -- task definitions and tasks --------------------------------------------------------------

    def register(self, document: Document) -> TaskDefinition:
        """Register the next revision of a family. The whole document is kept."""
        family = str(document["family"])
        revision = 1 + max(
            (d.revision for d in self.world.definitions.values() if d.family == family), default=0
        )
        arn = self.world.arn("ecs", f"task-definition/{family}:{revision}")
        definition = definitions.read(document, arn, revision)
        self.world.definitions[arn] = definition
        return definition

    def run_task(
        self, cluster: str, definition: str, *, overrides: Document, started_by: str = ""
    ) -> Task | str:
        """Place one task outside any service. Returns the task, or the failure's reason as text."""
        known = self.world.definitions[definition]
        group = f"family:{known.family}"
        where = placement.place(self.world, cluster, known, ("instanceId",), group)
        if isinstance(where, placement.NoRoom):
            return where.short
        task = tasks.create(self.world, where, known, group=group, started_by=started_by)
        task.overrides = overrides
        return task

    def stop_task(self, arn: str, reason: str = "") -> Task:
        """Stop a task at its owner's request (`UserInitiated`). Raises KeyError."""
        task = self.world.tasks[arn]
        tasks.stop(self.world, task, "UserInitiated", reason or "Task stopped by user")
        return task

    # -- services --------------------------------------------------------------------------------

    def create_service(self, spec: ServiceSpec) -> Service:
        """Create a service and its first deployment."""
        key = (spec.cluster, spec.name)
        arn = self.world.arn("ecs", f"service/{spec.cluster}/{spec.name}")
        service = Service(arn, spec, self.world.now)
        self.world.services[key] = service
        deployments.begin(self.world, service, spec.task_definition)
        self.world.after(0.0, services.tick, self.world, service)
        return service

    def update_service(self, spec: ServiceSpec, *, force: bool = False) -> Service:
        """Update an active service.

        A new task definition, other load balancers, or `force` begin a new deployment.
        """
        service = self.world.services[(spec.cluster, spec.name)]
        moved = _target_groups(spec) != _target_groups(service.spec)
        service.spec = spec
        service.primary.updated = self.world.now
        if force or moved or spec.task_definition != service.primary.task_definition:
            deployments.begin(self.world, service, spec.task_definition)
        return service

    def delete_service(self, cluster: str, name: str) -> Service:
        """Delete a service: its tasks stop, then it is INACTIVE."""
        service = self.world.services[(cluster, name)]
        service.status = "DRAINING"
        return service

    def stop_deployment(self, cluster: str, name: str) -> Service:
        """Stop the deployment in progress; the service returns to its last completed one."""
        service = self.world.services[(cluster, name)]
        deployments.stop(self.world, service)
        return service

    def scale_service(self, target: ScalableTarget) -> None:
        """Scale the service's desired count by the metrics of `utilization` from now on."""
        target.made = self.world.now
        self.world.scalable[target.cluster, target.service] = target
        scaling.bound(self.world, target)
        self.world.after(scaling.MINUTE, scaling.tick, self.world, target)

    # -- instances -------------------------------------------------------------------------------

    def create_group(self, spec: GroupSpec) -> Group:
        """Create an Auto Scaling group; its instances launch, boot, join and signal."""
        arn = self.world.arn(
            "autoscaling",
            f"autoScalingGroup:{self.world.uuid()}:autoScalingGroupName/{spec.name}",
        )
        group = Group(arn, spec, spec.desired, self.world.now)
        self.world.groups[spec.name] = group
        instances.balance(self.world, group)
        self.world.after(self.world.timings.even_out, instances.even_out, self.world, group)
        return group

    def update_group(self, spec: GroupSpec) -> Group:
        """Change desired, minimum or maximum size or the launch document."""
        group = self.world.groups[spec.name]
        group.spec = spec
        group.desired = min(max(spec.desired, spec.minimum), spec.maximum)
        instances.balance(self.world, group)
        return group

    def suspend(self, name: str, processes: Iterable[str]) -> None:
        """Suspend these processes of the group until they are resumed."""
        suspended = self.world.groups[name].suspended
        suspended.update({one: self.world.now for one in processes if one not in suspended})

    def resume(self, name: str, processes: Iterable[str]) -> None:
        group = self.world.groups[name]
        for one in processes:
            group.suspended.pop(one, None)
        instances.balance(self.world, group)

    def delete_group(self, name: str, *, force: bool = False) -> None:
        """Terminate the group's instances, then remove it. With `force`, ignore its hooks."""
        group = self.world.groups[name]
        if force:
            group.hooks.clear()
        group.deleting, group.desired = True, 0
        doomed = instances.of_group(self.world, name)
        for instance in doomed:
            instances.leave(self.world, instance, "a user request, deleting the group")
        if not any(i.group == name and i.state != "terminated" for i in self._instances()):
            self.world.deleted_groups[name] = self.world.groups.pop(name)

    def _instances(self) -> list[Instance]:
        return list(self.world.instances.values())

    def create_provider(
        self,
        name: str,
        group: str,
        *,
        managed: bool,
        target: int,
        draining: bool,
        document: Document,
    ) -> CapacityProvider:
        """Create a capacity provider over an Auto Scaling group; ECS scales it when `managed`.

        With `draining`, the group's instances wait until ECS has moved their tasks.
        """
        arn = self.world.arn("ecs", f"capacity-provider/{name}")
        provider = CapacityProvider(name, arn, group, managed, target, document=document)
        self.world.providers[name] = provider
        if draining:
            self.put_hook(group, Hook(instances.MANAGED_DRAINING, timeout=_TWO_DAYS))
        self.world.after(self.world.timings.manage_capacity, capacity.tick, self.world, provider)
        return provider

    def delete_provider(self, name: str) -> CapacityProvider:
        """Delete the provider.

        Its group stays, without the hook for managed draining. Raises KeyError.
        """
        provider = self.world.providers.pop(name)
        if not any(p.group == provider.group for p in self.world.providers.values()):
            self.delete_hook(provider.group, instances.MANAGED_DRAINING)
        return provider

    def put_hook(self, group: str, hook: Hook) -> None:
        """Add a lifecycle hook: instances that the group ends from now on wait for it."""
        self.world.groups[group].hooks[hook.name] = hook

    def delete_hook(self, group: str, name: str) -> None:
        """Remove a lifecycle hook; instances that wait for it continue."""
        known = self.world.groups.get(group)
        if known:
            known.hooks.pop(name, None)
        for instance in self._instances():
            if instance.group == group:
                instances.proceed(self.world, instance, name)

    def complete_hook(self, instance: str, name: str) -> None:
        instances.proceed(self.world, self.world.instances[instance], name)

    def terminate_instance(self, instance: str) -> None:
        """Terminate one instance at once, as EC2 does; its group launches another."""
        instances.terminate(self.world, self.world.instances[instance], "a user request")

    def end_instance(self, instance: str) -> None:
        """Let the group end the instance, after its lifecycle hooks, and launch another."""
        gone = self.world.instances[instance]
        instances.leave(self.world, gone, "a user request")
        if group := self.world.groups.get(gone.group):
            instances.balance(self.world, group)

    def drain_instance(self, instance: str, draining: bool = True) -> None:
        """Set a container instance DRAINING (its service tasks are replaced) or ACTIVE."""
        self.world.instances[instance].draining = draining


def _target_groups(spec: ServiceSpec) -> list[tuple[str, str, int]]:
    return [(one.target_group, one.container, one.container_port) for one in spec.load_balancers]
