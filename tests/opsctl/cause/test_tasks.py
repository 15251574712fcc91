"""Tasks that failed: which cause their codes, reasons and last lines mean, in many wordings."""

from dataclasses import replace

import pytest

from opsctl.snapshot.service_deployments import ServiceDeployment
from opsctl.snapshot.task_definitions import LogStream
from opsctl.snapshot.tasks import Container
from tests.opsctl.cause.histories import first, ids, later, ranked, rolled, task
from tests.opsctl.snapshots import DEFINITIONS, NEW, deployment, snapshot

DAEMON = "Error response from daemon: "
PULL = f"CannotPullContainerError: {DAEMON}"
STARTING = f"CannotStartContainerError: {DAEMON}"
# The reason of a container that never ran -> the cause.
NEVER_RAN = [
    ("image-not-found", f"{PULL}manifest for web@sha256:1 not found: manifest unknown"),
    ("image-not-found", f"{PULL}manifest unknown: Requested image not found"),
    ("image-not-found", "CannotPullImageManifestError: failed to resolve ref x/web:1: not found"),
    ("image-not-found", f"{PULL}name unknown: The repository with name 'web' does not exist"),
    ("image-not-found", "CannotPullECRContainerError: RepositoryNotFoundException: no such"),
    ("pull-denied", f"{PULL}pull access denied for web, repository does not exist or may require"),
    ("pull-denied", f"{PULL}no basic auth credentials"),
    (
        "pull-denied",
        "CannotPullECRContainerError: AccessDeniedException: not authorized to perform",
    ),
    ("pull-denied", f"{PULL}unexpected status from HEAD request: 403 Forbidden"),
    ("pull-limited", f"{PULL}toomanyrequests: You have reached your pull rate limit"),
    ("registry-unreachable", f"{PULL}Get https://x/v2/: dial tcp 10.0.0.1:443: i/o timeout"),
    ("registry-unreachable", f"{PULL}net/http: request canceled while waiting for connection"),
    ("wrong-architecture", f"{PULL}no matching manifest for linux/amd64 in the manifest list"),
    (
        "wrong-architecture",
        "CannotPullContainerError: image Manifest does not contain descriptor matching platform "
        "'linux/arm64'",
    ),
    (
        "wrong-architecture",
        f"{PULL}no match for platform in manifest sha256:ab: not found",
    ),
    ("disk-full", f"{PULL}failed to register layer: write /x: no space left on device"),
    (
        "log-group-missing",
        f"{STARTING}failed to initialize logging driver: failed to create Cloudwatch log stream: "
        "ResourceNotFoundException: The specified log group does not exist.",
    ),
    (
        "log-group-missing",
        "ResourceInitializationError: failed to validate logger args: create stream has been "
        "retried 1 times: ResourceNotFoundException: The specified log group does not exist",
    ),
    (
        "log-group-missing",
        "ResourceInitializationError: failed to validate logger args: The task cannot find the "
        "Amazon CloudWatch log group defined in the task definition.",
    ),
    (
        "permission-missing",
        f"{STARTING}failed to initialize logging driver: AccessDeniedException: User x is not "
        "authorized to perform: logs:CreateLogStream on resource: arn:aws:logs:x",
    ),
    ("port-taken", f"{STARTING}Bind for 0.0.0.0:8082 failed: port is already allocated"),
    ("port-taken", f"{STARTING}listen tcp 0.0.0.0:80: bind: address already in use"),
    (
        "container-cannot-start",
        f'{STARTING}OCI runtime create failed: exec: "caddy": executable file not found in $PATH',
    ),
    ("wrong-architecture", f"{STARTING}exec /bin/caddy: exec format error"),
    ("image-not-found", "CannotPullContainerError: invalid reference format"),
]
# The reason of the task itself -> the cause.
OF_THE_TASK = [
    (
        "secret-missing",
        "Fetching secret data from SSM Parameter Store in x: invalid parameters: /a",
    ),
    (
        "secret-missing",
        "Fetching secret data from AWS Secrets Manager in region x: secret s: "
        "ResourceNotFoundException: Secrets Manager can't find the specified secret.",
    ),
    (
        "secret-missing",
        "ResourceInitializationError: unable to pull secrets or registry auth: execution resource "
        "retrieval failed: unable to retrieve secret from asm: ResourceNotFoundException",
    ),
    ("secret-missing", "retrieved secret from Secrets Manager did not contain json key token"),
    (
        "permission-missing",
        "Fetching secret data from SSM Parameter Store in x: AccessDeniedException: User: arn:x is "
        "not authorized to perform: ssm:GetParameters on resource: arn:aws:ssm:x:parameter/a",
    ),
    ("permission-missing", "ECS was unable to assume the role 'arn:aws:iam::1:role/x'"),
    (
        "registry-unreachable",
        "ResourceInitializationError: unable to pull secrets or registry auth: The task cannot "
        "pull registry auth from Amazon ECR: There is a connection issue between the task and "
        "Amazon ECR. Check your task network configuration. context deadline exceeded",
    ),
]
# Exit code and last line of a container that ran -> the cause.
RAN = [
    ("container-exited", 1, "out of file descriptors"),
    ("container-exited", 0, "bye"),
    ("container-exited", 139, ""),
    ("container-exited", 2, "usage: service run"),
    ("out-of-memory", 137, ""),
    ("out-of-memory", 1, "java.lang.OutOfMemoryError: Java heap space"),
    ("out-of-memory", 134, "FATAL ERROR: JavaScript heap out of memory"),
    ("wrong-architecture", 255, "exec /usr/local/bin/python: exec format error"),
    ("caddyfile-refused", 1, "Caddyfile:21 - Unknown directive 'rediss'"),
    ("caddyfile-refused", 1, "2026/11/26 Caddyfile:3 - Error during parsing: unexpected token"),
    ("redis-unreachable", 1, "redis web.x.cache.amazonaws.com:6379 cannot be reached: timed out"),
    (
        "redis-unreachable",
        1,
        "redis.exceptions.ConnectionError: Error 111 connecting to 10.0.0.1:6379",
    ),
    ("redis-unreachable", 2, "dial tcp 10.0.3.7:6379: i/o timeout"),
    ("redis-unreachable", 1, "ERR AUTH <password> called without any password configured"),
    ("redis-unreachable", 1, "gaierror: Name or service not known: web.x.cache.amazonaws.com"),
    ("redis-unreachable", 1, "redis: tls handshake failed: wrong version number"),
    ("redis-unreachable", 1, "MISCONF Redis is configured to save RDB snapshots"),
    ("redis-unreachable", 1, "LOADING Redis is loading the dataset in memory"),
    ("redis-unreachable", 1, "MASTERDOWN Link with MASTER is down"),
    ("redis-unreachable", 1, "READONLY You can't write against a read only replica."),
    ("redis-unreachable", 1, "ERR max number of clients reached"),
    ("redis-unreachable", 1, "JedisConnectionException: Failed to connect to any host of redis"),
    ("container-exited", 1, "connected to redis 10.0.3.7:6379"),
    ("container-exited", 1, "redis 10.0.3.7:6379, timeout 5s, pool 10"),
    ("container-exited", 1, "redis.exceptions.ResponseError: WRONGTYPE Operation against a key"),
    ("cache-full", 1, "OOM command not allowed when used memory > 'maxmemory'."),
    ("auth-unreachable", 1, "the auth server cannot be asked: connection refused"),
    ("auth-unreachable", 1, "POST https://auth.example.com/token: dial tcp: i/o timeout"),
    ("auth-unreachable", 1, "ConnectTimeout: https://a.example/.well-known/openid-configuration"),
    ("auth-unreachable", 1, "reauth: upstream answered 503 Service Unavailable"),
    ("auth-unreachable", 1, "cannot reach identity provider: connection refused"),
    ("auth-unreachable", 1, "failed to fetch JWKS from https://a.example: no such host"),
    ("container-exited", 1, "db.example.com:5432: connection timed out"),
    ("secret-empty", 1, "fatal: environment variable REFRESH_TOKEN must not be empty"),
    ("secret-empty", 1, "ValueError: API_KEY is empty"),
    ("container-exited", 1, "the queue is empty"),
    ("permission-missing", 1, "NoCredentialsError: Unable to locate credentials"),
    ("secret-missing", 1, "`ssm:/web/token` cannot be resolved: ParameterNotFound"),
    (
        "secret-missing",
        1,
        "`secretsmanager:web#a` cannot be resolved: the secret has no key `a`",
    ),
    ("secret-empty", 1, "redis: the secret password is there but empty"),
    ("permission-missing", 1, "`ssm:/web/token` cannot be resolved: AccessDeniedException"),
    (
        "log-group-missing",
        1,
        "log group /web/app does not exist: create it, or correct awscloudwatch",
    ),
    ("port-taken", 1, "cannot listen on 0.0.0.0:80: Address already in use"),
]


@pytest.mark.parametrize(("cause", "reason"), NEVER_RAN)
def test_a_container_that_never_ran_is_explained_by_its_reason(cause: str, reason: str) -> None:
    top = first(rolled(task(own=reason, reason="Task failed to start")))
    assert top.id == cause and top.confidence == "certain"
    assert top.next and top.evidence


@pytest.mark.parametrize(("cause", "reason"), OF_THE_TASK)
def test_a_task_that_was_refused_is_explained_by_its_own_reason(cause: str, reason: str) -> None:
    assert first(rolled(task(reason=reason))).id == cause


@pytest.mark.parametrize(("cause", "code", "line"), RAN)
def test_a_container_that_ran_is_explained_by_its_code_and_last_line(
    cause: str, code: int, line: str
) -> None:
    now = rolled(
        task(code=code, reason="Essential container in task exited"),
        lines={"t1": ("starting", line)} if line else {},
    )
    top = first(now)
    assert top.id == cause
    assert not line or line in f"{top.sentence} {top.evidence}"


def test_of_several_containers_the_one_that_ended_badly_is_named() -> None:
    containers = (Container("sidecar", 0), Container("web", 3))
    top = first(rolled(task(code=3, containers=containers)))
    assert top.sentence == "container `web` exited 3"


def test_of_several_containers_the_one_that_could_not_start_is_the_cause() -> None:
    containers = (Container("sidecar"), Container("web", None, f"{PULL}manifest unknown"))
    assert first(rolled(task(containers=containers))).id == "image-not-found"


def test_the_memory_limit_is_named() -> None:
    own = "OutOfMemoryError: Container killed due to memory usage"
    top = first(rolled(task(code=137, own=own)))
    assert "needs more memory than it has (400 MiB)" in top.sentence


def test_the_last_lines_are_those_of_any_failed_task_that_wrote_some() -> None:
    tasks = [task(f"t{n}", code=1) for n in range(4)]
    top = first(rolled(*tasks, lines={"t3": ("no such file",)}))
    assert top.sentence == "container `web` exited 1, and last said: no such file"
    assert top.count == 4


def test_a_problem_that_the_task_survived_is_not_its_cause() -> None:
    lines = ("redis x:6379 cannot be reached: refused", "serving", "tick", "no such file")
    assert first(rolled(task(code=1), lines={"t1": lines})).id == "container-exited"


def test_a_task_that_was_stopped_on_purpose_is_no_failure() -> None:
    stopped = task(code=143, stop="ServiceSchedulerInitiated", reason="Scaling activity initiated")
    assert "container-exited" not in ids(rolled(stopped))


def test_what_happened_more_often_ranks_first() -> None:
    tasks = [task(f"t{n}", code=3) for n in range(3)]
    odd = task("t9", own=f"{STARTING}port is already allocated")
    assert ids(rolled(*tasks, odd))[:2] == ["container-exited", "port-taken"]


def test_a_secret_that_is_marked_for_deletion_is_restored_and_not_made_anew() -> None:
    secret = "arn:aws:secretsmanager:us-east-1:123456789012:secret:web/token-AbCdEf"
    reason = (
        "ResourceInitializationError: unable to pull secrets or registry auth: unable to retrieve "
        f"secret from asm: failed to fetch secret {secret}:token:: from secrets manager: "
        "InvalidRequestException: You can't perform this operation on the secret because it was "
        "marked for deletion."
    )
    cause = first(rolled(task(reason=reason)))
    assert cause.id == "secret-missing"
    assert cause.next.endswith(f": aws secretsmanager restore-secret --secret-id {secret}")


@pytest.mark.parametrize(
    ("ends", "now", "over"),
    [
        ((600, 1200, 1800), 1900, False),  # a leak: one task every ten minutes
        ((600, 1200, 1800), 3100, True),
        ((600, 601, 602), 700, True),  # something hit all at once, and is over
        ((600, 601, 1200, 1201, 1800, 1801), 1900, False),  # those that started together
        ((600, 601, 602, 3000), 3100, True),
        ((600, 1200), 1300, True),
        ((10, 30, 50), 60, True),  # before the deployment had completed
    ],
)
def test_tasks_that_keep_ending_are_a_present_cause_although_each_is_replaced(
    ends: tuple[int, ...], now: int, over: bool
) -> None:
    # `why` said "nothing wrong" each time all tasks had just been replaced.
    killed = tuple(
        replace(task(f"t{n}", code=137), stopped=later(end)) for n, end in enumerate(ends)
    )
    done = ServiceDeployment("x/a", "SUCCESSFUL", finished=later(55), revision="r/2")
    own = tuple(replace(one, deployment="ecs-svc/2") for one in killed)
    [cause] = ranked(
        snapshot(deployment("ecs-svc/2", NEW), tasks=own, service_deployments=(done,), seconds=now)
    )
    assert (cause.id, cause.over) == ("out-of-memory", over)


def test_a_missing_log_group_is_named_although_the_service_is_gone_with_its_first_release() -> None:
    stream = LogStream("/web/stdout", "web", "web")
    definition = replace(DEFINITIONS[1], logs=(stream,))
    reason = f"{STARTING}failed to create log stream: The specified log group does not exist."
    now = rolled(task(reason=reason), task_definitions=(definition,))
    [cause] = [one for one in ranked(now) if one.id == "log-group-missing"]
    assert cause.sentence.startswith("the log group /web/stdout does not exist: ")


def test_tasks_whose_lines_are_late_ended_for_what_one_of_them_has_told() -> None:
    # Three of four were silent yet, and "exited 255" came before the image's architecture.
    silent = [task(f"t{number}", code=255) for number in range(3)]
    told = task("t9", code=255)
    last = ("exec /usr/local/bin/python: exec format error",)
    now = rolled(*silent, told, lines={"t9": last})
    assert ids(now)[0] == "wrong-architecture" and "container-exited" not in ids(now)
    another = task("t8", code=1)
    assert "container-exited" in ids(rolled(told, another, lines={"t9": last}))
