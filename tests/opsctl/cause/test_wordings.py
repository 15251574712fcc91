"""One failure in the many words of agent, Docker, containerd, EC2, CloudFormation and Redis."""

from dataclasses import replace
from datetime import timedelta

import pytest

from opsctl.aws import FailedCall
from opsctl.cause import rank
from opsctl.cause.cause import Cause
from opsctl.snapshot.instances import Activity, ContainerInstance, Group
from opsctl.snapshot.lines import last_words
from opsctl.snapshot.service import ServiceEvent
from opsctl.snapshot.snapshot import Look, Snapshot
from tests.opsctl.cause.histories import first, history, ids, ranked, rolled, task
from tests.opsctl.cli import hints
from tests.opsctl.snapshots import NEW, START, deployment, event, service, snapshot

PULL = "CannotPullContainerError: "
DAEMON = "Error response from daemon: "
GET = f'{PULL}{DAEMON}Get "https://1.dkr.ecr.us-east-1.amazonaws.com/v2/": '
STARTING = f"CannotStartContainerError: {DAEMON}"
OCI = f"{STARTING}failed to create shim task: OCI runtime create failed: runc create failed: "
BEFORE = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource "
MANAGER = "Fetching secret data from AWS Secrets Manager in region us-east-1: secret s: "
# What the agent says of a container, or of a task, that never ran.
NEVER_RAN = [
    ("image-not-found", f"{PULL}ref pull has been retried 1 time(s): failed to copy: "
     "httpReadSeeker: failed open: content at https://x/manifests/sha256:1 not found: not found"),
    ("image-not-found", f'{PULL}{DAEMON}Head "https://x/1": unexpected status 404 Not Found'),
    ("pull-denied", f"{PULL}The task can’t pull the image. Check that the role has the permissions "
     "to pull images from the registry."),
    ("pull-denied", f"{PULL}pull image manifest has been retried 5 time(s): failed to resolve ref "
     "x/web:1: pulling from host x failed with status code [manifests 1]: 403 Forbidden"),
    ("pull-denied", f"{BEFORE}retrieval failed: unable to get registry auth from ecr: service call "
     "has been retried 1 time(s): AccessDeniedException: User: arn:x is not authorized to perform: "
     "ecr:GetAuthorizationToken on resource: *"),
    ("pull-limited", "CannotPullECRContainerError: ThrottlingException: Rate exceeded"),
    ("registry-unreachable", f"{GET}x509: certificate signed by unknown authority"),
    ("registry-unreachable", f"{GET}tls: failed to verify certificate: x509: certificate is valid "
     "for *.proxy, not 1.dkr.ecr"),
    ("registry-unreachable", f"{PULL}{DAEMON}received unexpected HTTP status: 503 Service Unavail"),
    ("registry-unreachable", f"{PULL}failed to copy: httpReadSeeker: failed open: unexpected "
     "status code https://layers.s3.us-east-1.amazonaws.com/x: 500 Internal Server Error"),
    ("registry-unreachable", f"{PULL}The task cannot pull 'web' from the ECR repository 'x'. There "
     "is a connection issue between the task and Amazon ECR."),
    ("registry-unreachable", "ResourceInitializationError: The task cannot pull registry "
     "authentication from Amazon ECR. There is a connection issue between the task and ECR."),
    ("registry-unreachable", f"{PULL}context canceled"),
    ("registry-unreachable", f"{GET}proxyconnect tcp: dial tcp: lookup proxy: server misbehaving"),
    ("disk-full", f"CannotCreateContainerError: {DAEMON}devmapper: Thin Pool has 4350 free data "
     "blocks which is less than minimum required 4454 free data blocks."),
    ("wrong-architecture", f'{PULL}{DAEMON}image operating system "windows" cannot be used on this '
     "platform"),
    ("logging-failed", f"{STARTING}failed to initialize logging driver: dial tcp 10.0.0.1:24224: "
     "connect: connection refused"),
    ("logging-failed", "ResourceInitializationError: failed to validate logger args: The task "
     "cannot find the Amazon CloudWatch log group defined in the task definition. There is a "
     "connection issue between the task and Amazon CloudWatch."),
    ("out-of-memory", f"{OCI}container init was OOM-killed (memory limit too low?): unknown"),
    ("container-cannot-start", f'{OCI}exec: "/entry.sh": permission denied: unknown'),
    ("container-cannot-start", "DockerTimeoutError: Could not transition to started; timed out "
     "after waiting 3m0s"),
    ("container-cannot-start", "CannotStartContainerError: Cannot connect to the Docker daemon at "
     "unix:///var/run/docker.sock. Is the docker daemon running?"),
    ("secret-missing", "ResourceInitializationError: The task cannot pull secrets from AWS Secrets "
     "Manager. There is a connection issue between the task and AWS Secrets Manager."),
    ("secret-missing", f"{MANAGER}InvalidRequestException: You can't perform this operation on the "
     "secret because it was marked for deletion."),
    ("secret-empty", f"{MANAGER}ResourceNotFoundException: Secrets Manager can't find the "
     "specified secret value for staging label: AWSCURRENT"),
    ("permission-missing", f"{MANAGER}DecryptionFailure: Secrets Manager can't decrypt the "
     "protected secret text using the provided KMS key"),
    ("permission-missing", f"{MANAGER}AccessDeniedException: Access to KMS is not allowed"),
]  # fmt: skip
# The last line of a container that ended by itself.
RAN = [
    ("redis-unreachable", "redis.exceptions.AuthenticationError: invalid password"),
    ("redis-unreachable", "redis.exceptions.ReadOnlyError: You can't write against a read only re"),
    ("redis-unreachable", "NOPERM this user has no permissions to run the 'get' command"),
    ("redis-unreachable", "MOVED 3999 10.0.0.1:6379"),
    ("redis-unreachable", "redis.exceptions.ResponseError: NOREPLICAS Not enough good replicas"),
    ("redis-unreachable", "[Errno 111] Connect call failed ('10.0.0.5', 6379)"),
    ("redis-unreachable", "could not resolve host web.abc.0001.use1.cache.amazonaws.com"),
    ("redis-unreachable", "ResponseError: ERR invalid password"),
    ("secret-missing", "secrets file /nowhere/secrets.yml: No such file or directory"),
    ("secret-missing", "reauth's refresh needs a refresh token: the site has no `secrets`"),
    ("auth-unreachable", "ERROR oidc discovery failed: context deadline exceeded"),
    ("auth-unreachable", "keycloak: connection refused"),
    ("auth-unreachable", "cannot fetch the keys of https://login.example.com/: timed out"),
    ("out-of-memory", "the memory limit of 400 MiB is reached"),
    ("disk-full", "sqlite3.OperationalError: database or disk is full"),
    ("container-exited", "psycopg2.OperationalError: db.example.com: context deadline exceeded"),
    ("container-exited", "OSError: [Errno 24] Too many open files: '/app/cert.pem'"),
    ("redis-unreachable", "redis.exceptions.BusyLoadingError: Redis is loading the dataset"),
    ("caddyfile-refused", "error: /app/Caddyfile cannot be read: Permission denied"),
    ("caddyfile-refused", "no site has the port 80; there are [8181, 9090]"),
    ("permission-missing", "(UnauthorizedOperation) when calling the DescribeInstances operation"),
    ("wrong-architecture", "qemu-x86_64: Could not open '/lib64/ld-linux-x86-64.so.2'"),
    ("container-exited", "PermissionError: [Errno 13] cannot bind ('0.0.0.0', 80)"),
    ("container-exited", "ModuleNotFoundError: No module named 'service'"),
]
PLACING = (
    "(service web) was unable to place a task because no container instance met all of its "
    "requirements. The closest matching "
)
LAUNCHING = "(service web) failed to launch a task with (error "
REGISTERING = "(service web) failed to register targets in (target-group tg) with (error "
# What the service scheduler says, while no task can say it.
SCHEDULER = [
    ("no-room", f"{PLACING}(container-instance 1) is missing an attribute required by your task."),
    ("no-room", "(service web) was unable to place a task. Reason: Capacity is unavailable."),
    ("no-room", "(service web) was unable to stop or start tasks during a deployment because of "
     "the service deployment configuration. Update the minimumHealthyPercent or maximumPercent."),
    ("agent-disconnected", f'{PLACING}(container-instance 1) encountered error "AGENT".'),
    ("agent-disconnected", f"{PLACING}container-instance 1 doesn't have the agent connected."),
    ("permission-missing", f"{LAUNCHING}ECS was unable to assume the role 'arn:aws:iam::1:role/x' "
     "that was provided for this task.)."),
    ("container-cannot-start", f"{LAUNCHING}ClientException: TaskDefinition is inactive)."),
    ("permission-missing", f"{REGISTERING}AccessDenied: not authorized to perform: "
     "elasticloadbalancing:RegisterTargets)"),
    ("target-group-gone", f"{REGISTERING}One or more target groups not found)"),
    ("service-limit", f"{REGISTERING}TooManyTargets: The maximum number of targets is reached)"),
    ("permission-missing", "(service web) was unable to assume the service linked role."),
    ("service-limit", "(service web) was unable to place a task. Reason: You've reached the limit "
     "on the number of tasks you can run concurrently."),
    ("throttled", "(service web) operations are being throttled on elb. Will try again later."),
    ("changed-by-hand", "(service web) was unable to scale in due to (reason 3 tasks under "
     "protection)"),
]  # fmt: skip
# EC2's answer to the Auto Scaling group -> a word of what it means, and of what helps.
LAUNCHES = [
    ("capacity", "instance_type", "We currently do not have sufficient t3.xlarge capacity in the "
     "Availability Zone you requested (us-east-1a)."),
    ("quota", "quota", "VcpuLimitExceeded - You have requested more vCPU capacity than your limit"),
    ("quota", "quota", "NetworkInterfaceLimitExceeded: The maximum number of network interfaces"),
    ("quota", "quota", "Max spot instance count exceeded"),
    ("Spot", "instance_type", "There is no Spot capacity available that matches your request."),
    ("image", "--new-ami", "The image id '[ami-1]' does not exist."),
    ("processor", "architecture", "The architecture 'arm64' of the specified instance type does "
     "not match the architecture 'x86_64' of the specified AMI."),
    ("key pair", "compute.key_pair", "The key pair 'ops' does not exist."),
    ("profile", "--revert-drift", "Invalid IAM Instance Profile name."),
    ("launch template", "--revert-drift", "The specified launch template does not exist."),
    ("security group", "--revert-drift", "The security group 'sg-1' does not exist in VPC 'v'"),
    ("target group", "--revert-drift", "One or more target groups not found. Validating load "
     "balancer configuration failed."),
    ("address", "compute.subnets", "There are not enough free addresses in subnet 'subnet-1'"),
    ("not offered", "instance_type", "Your requested instance type (t4g) is not supported in your "
     "requested Availability Zone (us-east-1e)."),
    ("device", "compute.volume.device", "Invalid device name /dev/xvdcz."),
    ("key", "compute.volume", "Client.InvalidKMSKey.InvalidState: The KMS key is disabled"),
    ("throttles", "passes", "Request limit exceeded."),
    ("account may not", "Support", "Your account is currently blocked."),
    ("hook", "logs", "Lifecycle Action with token 1 was abandoned: Heartbeat Timeout"),
    ("EC2 refuses it", "instance_type", "Server.InternalError"),
]  # fmt: skip
# CloudFormation's reason of a resource that failed.
RESOURCES = [
    ("service-limit", "Actual length: '70000'. Max allowed length is '65536' bytes."),
    ("service-limit", "TooManyUniqueTargetGroupsPerLoadBalancerException"),
    ("service-limit", "You have exceeded your quota of cache nodes"),
    ("service-limit", "Cannot exceed quota for RolesPerAccount: 1000"),
    ("throttled", "Rate exceeded (Service: AmazonElastiCache; Error Code: Throttling)"),
    ("throttled", "Request limit exceeded. (Error Code: RequestLimitExceeded)"),
    ("credentials-expired", "The security token included in the request is expired"),
    ("name-exists", "A target group with the same name 'web' exists, but with different settings"),
    ("name-exists", "Creation of service was not idempotent."),
    ("resource-failed", "Exceeded attempts to wait"),
    ("resource-failed", "Length of value exceeds 32 characters"),
    ("resource-failed", "InsufficientCacheClusterCapacity: cache.r7g.large is not available"),
]
# The last lines of a crash -> the words that tell.
CRASHES = [
    ("redis-unreachable", "Error: connect ECONNREFUSED 10.0.3.7:6379",
     ("at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1157:16) {", "errno: -111,",
      "code: 'ECONNREFUSED',", "syscall: 'connect',", "address: '10.0.3.7',", "port: 6379", "}",
      "", "Node.js v20.11.0")),
    ("redis-unreachable", "panic: dial tcp 10.0.3.7:6379: connect: connection refused",
     ("", "goroutine 1 [running]:", "main.main()", "/app/main.go:12 +0x1d", "exit status 2")),
    ("auth-unreachable", "Caused by: java.net.ConnectException: auth server refused",
     ("at java.base/sun.nio.ch.Net.connect(Net.java:1)", "at App.main(App.java:9)", "... 9 more")),
    ("container-exited", "called `Option::unwrap()` on a `None` value",
     ("note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace",)),
]  # fmt: skip
IDLE = ContainerInstance("arn:1", "i-1", "ACTIVE", True, cpu=4000, memory=4000, whole_cpu=4096)
GROUP = "AWS::AutoScaling::AutoScalingGroup"
SERVICE = "AWS::ECS::Service"


def helps(cause: Cause) -> bool:
    """There is a next command, and the command line takes it."""
    for words in hints.commands(cause.next):
        hints.parse(words, {})
    return bool(cause.next)


@pytest.mark.parametrize(("cause", "reason"), NEVER_RAN)
@pytest.mark.parametrize("of_the_task", [False, True])
def test_a_container_that_never_ran_is_explained_for_every_wording(
    cause: str, reason: str, of_the_task: bool
) -> None:
    never = task(reason=reason) if of_the_task else task(own=reason, reason="Task failed to start")
    best = first(rolled(never))
    assert best.id == cause and helps(best)
    assert reason[-20:].rstrip(".") in best.sentence


@pytest.mark.parametrize(("cause", "line"), RAN)
def test_a_container_that_ended_is_explained_by_its_last_line(cause: str, line: str) -> None:
    best = first(rolled(task(code=1), lines={"t1": ("starting", line)}))
    assert best.id == cause and line in best.sentence and helps(best)


@pytest.mark.parametrize(("cause", "words", "below"), CRASHES)
def test_a_stack_trace_is_not_taken_for_the_last_line(
    cause: str, words: str, below: tuple[str, ...]
) -> None:
    best = first(rolled(task(code=1), lines={"t1": ("starting", words, *below)}))
    assert best.id == cause and words in best.sentence
    assert last_words(below) == below or not last_words(below), "better than nothing"


def test_two_lines_that_have_nothing_to_do_with_each_other_are_no_missing_secret() -> None:
    lines = ("2 secrets were read", "template index.html not found")
    assert first(rolled(task(code=1), lines={"t1": lines})).id == "container-exited"


def test_an_instance_without_memory_is_not_called_the_containers_limit() -> None:
    best = first(rolled(task(own=f"{OCI}cannot allocate memory", reason="Task failed to start")))
    assert best.sentence.startswith("an instance has no memory left to start a container")
    assert "compute.instance_type" in best.next


def test_for_an_unreachable_secret_the_hint_is_not_to_create_it() -> None:
    reason = f"{BEFORE}retrieval failed: unable to retrieve secrets from ssm: dial tcp: i/o timeout"
    assert "make it" not in first(rolled(task(reason=reason))).next


@pytest.mark.parametrize(
    "reason",
    ["Container instance deregistered forcibly by user", "Host EC2 (instance i-0ab) terminated."],
)
def test_a_task_whose_instance_was_terminated_counts_as_lost(reason: str) -> None:
    lost = replace(task(code=137, reason=reason), stop_code="")
    assert first(rolled(lost)).id == "instance-lost"


def said(text: str) -> Snapshot:
    rolling = deployment("d2", NEW, running=0, state="IN_PROGRESS")
    described = replace(service(rolling), events=(ServiceEvent("1", text, START),))
    look = Look(frozenset({"instances", "service"}))
    return snapshot(service=described, states="", seconds=60, instances=(IDLE,), look=look)


@pytest.mark.parametrize(("cause", "text"), SCHEDULER)
def test_a_failure_that_only_the_scheduler_reports_is_the_cause(cause: str, text: str) -> None:
    best = first(said(text))
    assert best.id == cause and helps(best)


@pytest.mark.parametrize(("cause", "text"), SCHEDULER)
def test_what_the_scheduler_reported_is_over_when_the_service_is_steady(
    cause: str, text: str
) -> None:
    whole = deployment("d2", NEW)
    now = replace(said(text), service=replace(service(whole), events=said(text).service.events))  # type: ignore[union-attr]
    assert ids(replace(now, targets=snapshot(whole).targets)) == []


def test_what_the_scheduler_has_not_repeated_for_hours_is_over() -> None:
    text = f"{REGISTERING}One or more target groups not found)"
    assert first(said(text)).id == "target-group-gone"
    later = replace(said(text), at=START + timedelta(hours=7))
    assert "target-group-gone" not in ids(later)


def test_a_task_that_was_started_since_shows_that_ecs_can() -> None:
    now = replace(said(f"{LAUNCHING}ECS was unable to assume the role)"), tasks=(task(code=3),))
    assert first(now).id == "container-exited"


@pytest.mark.parametrize(("means", "next", "message"), LAUNCHES)
def test_a_launch_that_ec2_refuses_says_what_helps(means: str, next: str, message: str) -> None:
    words = f"{message} Launching EC2 instance failed."
    refused = Activity("a", "Failed", "Launching a new EC2 instance", words, START)
    best = first(snapshot(group=Group("g", desired=2, activities=(refused,))))
    assert best.id == "asg-cannot-launch" and helps(best)
    assert means in best.sentence.partition("an instance: ")[2].partition(f": {message[:9]}")[0]
    assert next in best.next


def test_an_instance_that_could_not_be_ended_is_no_launch_that_failed() -> None:
    refused = Activity("a", "Failed", "Terminating EC2 instance: i-1", "scale-in protection", START)
    assert ids(snapshot(group=Group("g", desired=0, activities=(refused,)))) == []


@pytest.mark.parametrize(("cause", "reason"), RESOURCES)
def test_a_failed_resource_is_explained_for_every_wording(cause: str, reason: str) -> None:
    best = first(snapshot(failures=(event("e", "CREATE_FAILED", reason, of="Thing"),)))
    assert best.id == cause and helps(best)


@pytest.mark.parametrize(
    "reason", ["Exceeded attempts to wait", "Service arn:x did not stabilize."]
)
def test_tasks_that_ended_explain_a_service_that_was_not_steady_in_time(reason: str) -> None:
    failed = event("e", "UPDATE_FAILED", reason, of="Service", type=SERVICE)
    tasks = tuple(task(f"t{n}", code=3) for n in range(3))
    assert [one.id for one in ranked(snapshot(failures=(failed,), tasks=tasks))] == [
        "container-exited"
    ]


def test_every_error_of_redis_gets_its_own_explanation() -> None:
    for line, words in (
        ("WRONGPASS invalid username-password pair", "refuses the password"),
        ("READONLY You can't write against a read only replica.", "it is a replica"),
        ("NOPERM this user has no permissions to run 'get'", "does not permit the tasks' user"),
        ("redis x:6379 cannot be reached: tls handshake failed", "do not agree on TLS"),
        ("LOADING Redis is loading the dataset in memory", "still loading"),
        ("ERR max number of clients reached", "takes no more connections"),
        ("redis x:6379 cannot be reached: timed out", "cannot reach Redis at x:6379"),
    ):
        made = history(rolled(task(code=1), lines={"t1": (line,)}))
        assert words in rank.rank(made)[0].sentence and helps(rank.rank(made)[0])


def test_an_error_of_awss_own_server_is_an_answer() -> None:
    call = FailedCall("ecs:ListTasks", "unreachable", "InternalFailure", "internal", 4, START)
    best = first(snapshot(failed_calls=(call,)))
    assert best.id == "network" and best.sentence.startswith("AWS itself fails: 4 calls ended in")
    lost = replace(call, code="", message="Connection was closed")
    assert "4 calls got no answer" in first(snapshot(failed_calls=(lost,))).sentence
