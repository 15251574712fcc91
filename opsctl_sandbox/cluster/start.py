"""Start an instance in the real order: EC2 boots it, cloud-init runs its user data, and only then
the ECS agent starts and joins (`ecs.service` has `After=cloud-final.service`).

The image of AWS enables the agent, so that it starts after a script that failed, too.

The script's output goes to the console, and to the log group that the script names, if any.
"""

from opsctl_sandbox.cluster.failures import Failure
from opsctl_sandbox.cluster.intents import WriteLog
from opsctl_sandbox.cluster.values import Instance
from opsctl_sandbox.cluster.world import World

# What ecs-init logs while it starts the agent.
_ECS_INIT = (
    'level=info msg="pre-start"',
    'level=info msg="start"',
    'level=info msg="Starting Amazon Elastic Container Service Agent"',
)
_BOOTED = "[    0.000000] Linux version 6.1 (Amazon Linux 2023)"
_CLOUD_INIT = "cloud-init[1700]: "
# What the console shows after each script: cloud-init's later modules, and the prompt.
_DONE = (
    "ci-info: no authorized SSH keys fingerprints found for user ec2-user.",
    "<14>ec2: #############################################################",
    "<14>ec2: -----BEGIN SSH HOST KEY FINGERPRINTS-----",
    "<14>ec2: 256 SHA256:AAAA root@ip-10-0-0-1 (ECDSA)",
    "<14>ec2: 256 SHA256:BBBB root@ip-10-0-0-1 (ED25519)",
    "<14>ec2: -----END SSH HOST KEY FINGERPRINTS-----",
    "<14>ec2: #############################################################",
    "-----BEGIN SSH HOST KEY KEYS-----",
    "ecdsa-sha2-nistp256 AAAA root@ip-10-0-0-1",
    "ssh-ed25519 BBBB root@ip-10-0-0-1",
    "-----END SSH HOST KEY KEYS-----",
    f"{_CLOUD_INIT}Cloud-init finished. Datasource DataSourceEc2",
    "",
    "Amazon Linux 2023",
    "Kernel 6.1 on an x86_64 (-)",
    "",
    "ip-10-0-0-1 login: ",
)
_SCRIPT_FAILED = (
    f"{_CLOUD_INIT}Failed to run module scripts-user (scripts in /var/lib/cloud/instance/scripts)"
)
# What dnf of Amazon Linux 2023 prints without internet access.
_NO_NETWORK = (
    "Amazon Linux 2023 repository                     0.0  B/s |   0  B     00:30",
    "Errors during downloading metadata for repository 'amazonlinux':",
    "  - Curl error (28): Timeout was reached for https://al2023-repos-us-east-1-de612dc2.s3.dualstack"
    ".us-east-1.amazonaws.com/core/mirrors/latest/x86_64/mirror.list [Connection timed out]",
    "Error: Failed to download metadata for repo 'amazonlinux': Cannot prepare internal "
    "mirrorlist: Curl error (28): Timeout was reached",
)
# What cfn-init prints; the command's own output is in its log, which our script shows, too.
_COMMAND_FAILED = (
    "Error occurred during build: Command 01_logs failed",
    "[INFO] amazon-cloudwatch-agent has already been stopped",
    "[ERROR] Exited with error code 1",
)
_NOT_JOINED = (
    'level=error msg="Unable to register as a container instance with ECS: '
    'RequestCanceled: request context canceled"'
)
_NOT_SIGNALLED = "Error occurred during signal: Connect timeout on endpoint URL"


def boot(world: World, instance: Instance) -> None:
    """Set the instance running; cloud-init begins."""
    instance.state, instance.booted = "running", world.now
    say(world, instance, _BOOTED)
    world.after(world.about(world.timings.start_script), _script_ends, world, instance)


def say(world: World, instance: Instance, *lines: str) -> None:
    """Write lines to the console."""
    instance.console.extend((world.now, line) for line in lines)


def subject(instance: Instance) -> str:
    """Return the text that planned failures are matched with."""
    return f"{instance.group} {instance.id}"


def _script_ends(world: World, instance: Instance) -> None:
    if instance.state != "running":
        return
    failure = world.failures.take(
        ("start-script-cannot-download", "signal-failure"), subject(instance), world.now
    )
    if failure:
        _script_fails(world, instance, failure)
        return
    say(world, instance, f"{_CLOUD_INIT}+ systemctl enable --now --no-block ecs")
    if instance.script.signal == "script":
        _signal(world, instance)
    say(world, instance, *_DONE)
    world.emit(WriteLog("ecs", instance.id, _ECS_INIT))
    world.after(world.about(world.timings.join_cluster), _join, world, instance)


def _script_fails(world: World, instance: Instance, failure: Failure) -> None:
    """Fail the script.

    Without a network even the signalling program is missing; the agent never starts.
    """
    offline = failure.kind == "start-script-cannot-download"
    lines = failure.log_lines or (_NO_NETWORK if offline else _COMMAND_FAILED)
    _last_words(world, instance, lines)
    say(world, instance, _SCRIPT_FAILED, *_DONE)
    if not instance.script.stops_agent:
        if offline and not instance.script.configures_first:
            instance.cluster = "default"
        world.after(world.about(world.timings.join_cluster), _join, world, instance, False)
    if offline:
        return
    # The CloudWatch agent, which the script installed, still sends what was written.
    world.emit(WriteLog("start", instance.id, lines))
    if instance.script.signal != "never":
        instance.signalled = False


def _last_words(world: World, instance: Instance, lines: tuple[str, ...]) -> None:
    say(world, instance, *(f"{_CLOUD_INIT}{line}" for line in lines))
    if instance.script.last_words:
        say(world, instance, instance.script.last_words, *lines)
    if instance.script.last_of_all:
        say(world, instance, instance.script.last_of_all)


def _signal(world: World, instance: Instance) -> None:
    if world.failures.take(("signal-missing",), subject(instance), world.now):
        say(world, instance, f"{_CLOUD_INIT}{_NOT_SIGNALLED}")
        return
    instance.signalled = True
    say(world, instance, "cfn-signal: signalled success")


def _join(world: World, instance: Instance, awaited: bool = True) -> None:
    if instance.state != "running":
        return
    failure = world.failures.take(("instance-never-joins",), subject(instance), world.now)
    if failure:
        line = failure.reason or _NOT_JOINED
        say(world, instance, *(failure.log_lines or (line,)))
        _log(world, instance, line)
        if awaited and instance.script.signal == "joined":
            world.after(_patience(world, instance), _give_up, world, instance, line)
        return
    instance.joined = instance.agent_connected = True
    instance.joined_at = world.now
    say(world, instance, "ecs-init: the Amazon ECS agent was started")
    where = f"cluster={instance.cluster}"
    _log(world, instance, f'level=info msg="Registered container instance with cluster! {where}"')
    if awaited and instance.script.signal == "joined":
        world.after(world.about(world.timings.signal), _signal_joined, world, instance)
    lost = world.failures.take(("agent-disconnected",), subject(instance), world.now)
    if lost:
        world.after(lost.after, connect_agent, world, instance, False)
    else:
        world.after(world.about(world.timings.acs_session), _reconnect, world, instance)


def _patience(world: World, instance: Instance) -> float:
    """Return for how many seconds more it waits for the agent."""
    script = instance.script
    if script.deadline and instance.booted is not None:
        return max(instance.booted + script.deadline - world.now, 0.0)
    return script.patience


def _give_up(world: World, instance: Instance, line: str) -> None:
    if instance.state == "running" and not instance.joined:
        _last_words(world, instance, ("the ECS agent has not joined the cluster", line))
        world.emit(WriteLog("start", instance.id, ("the ECS agent has not joined the cluster",)))
        instance.signalled = False


def _signal_joined(world: World, instance: Instance) -> None:
    if instance.state == "running":
        _signal(world, instance)


def connect_agent(world: World, instance: Instance, connected: bool) -> None:
    """Disconnect or reconnect the agent; running tasks continue either way."""
    if instance.joined and instance.state == "running":
        instance.agent_connected = connected
        word = "Connected to" if connected else "Disconnected from"
        _log(world, instance, f'level=info msg="{word} ACS endpoint"')


def _reconnect(world: World, instance: Instance) -> None:
    """End the session with ECS and begin a new one, as happens some times an hour.

    An agent that a failure disconnected stays so.
    """
    if instance.state != "running" or not instance.agent_connected:
        return
    connect_agent(world, instance, False)
    world.after(world.timings.acs_gap, connect_agent, world, instance, True)
    world.after(world.about(world.timings.acs_session), _reconnect, world, instance)


def _log(world: World, instance: Instance, line: str) -> None:
    world.emit(WriteLog("agent", instance.id, (line,)))
