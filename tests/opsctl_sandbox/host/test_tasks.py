"""A service of the simulation is real: tasks run, are checked, balanced, logged and replaced."""

import os
import signal
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from opsctl_sandbox import images
from opsctl_sandbox.process import lifecycle
from opsctl_sandbox.process.home import Home, Sandbox, Settings
from tests.opsctl_sandbox.clients import client, registry, start
from tests.opsctl_sandbox.fleet import join, stopped, until

# What `python -m service` is in these tests: it says what it was given.
PROGRAM = """
import http.server, os, sys, urllib.request
ports = {}
for option, value in zip(sys.argv, sys.argv[1:]):
    if option == "--listen":
        inside, _, where = value.partition("=")
        ports[inside] = int(where.rpartition(":")[2])
print("starting with", open("Caddyfile").read().strip(), flush=True)
if os.environ.get("CRASH"):
    print("cannot go on", flush=True)
    sys.exit(3)
task = urllib.request.urlopen(os.environ["ECS_CONTAINER_METADATA_URI_V4"] + "/task").read()

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = open("Caddyfile").read().encode() + os.environ["GREETING"].encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", ports["8082"]), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    home = Home(tmp_path_factory.mktemp("real"))
    yield start(home, Settings(tasks="process", speed=600.0, max_processes=4))
    list(lifecycle.down(home))


@pytest.fixture(scope="module")
def aws(real: Sandbox) -> Iterator[Callable[[str], Any]]:
    clients: dict[str, Any] = {}

    def connect(service: str) -> Any:
        if service not in clients:
            clients[service] = client(real, service)
        return clients[service]

    yield connect
    for one in clients.values():
        one.close()


def pack(folder: Path, caddyfile: str) -> images.Image:
    package = folder / "service"
    package.mkdir(exist_ok=True)
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text(PROGRAM)
    return images.pack(package, caddyfile)


def definition(aws: Callable[[str], Any], reference: str, **environment: str) -> str:
    variables = [{"name": name, "value": value} for name, value in environment.items()]
    options = {"awslogs-group": "/app/stdout", "awslogs-stream-prefix": "task"}
    container = {
        "name": "web",
        "image": reference,
        "cpu": 128,
        "memory": 128,
        "portMappings": [{"containerPort": 8082, "hostPort": 0}],
        "environment": variables,
        "logConfiguration": {"logDriver": "awslogs", "options": options},
    }
    made = aws("ecs").register_task_definition(family="web", containerDefinitions=[container])
    return str(made["taskDefinition"]["taskDefinitionArn"])


@pytest.fixture(scope="module")
def instances(aws: Callable[[str], Any]) -> None:
    """A cluster with two instances that joined."""
    join(aws, "web", 2)
    aws("autoscaling").enable_metrics_collection(AutoScalingGroupName="web", Granularity="1Minute")


@pytest.fixture(scope="module")
def balancer(aws: Callable[[str], Any]) -> tuple[str, str]:
    """(target group's ARN, DNS name) of a network load balancer."""
    elbv2 = aws("elbv2")
    made = elbv2.create_load_balancer(
        Name="web", Type="network", Subnets=["subnet-00000001", "subnet-00000002"]
    )["LoadBalancers"][0]
    group = elbv2.create_target_group(
        Name="web", Protocol="TCP", Port=80, VpcId="vpc-00000001", HealthCheckIntervalSeconds=10
    )["TargetGroups"][0]["TargetGroupArn"]
    elbv2.create_listener(
        LoadBalancerArn=made["LoadBalancerArn"],
        Protocol="TCP",
        Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )
    attributes = [{"Key": "deregistration_delay.timeout_seconds", "Value": "60"}]
    elbv2.modify_target_group_attributes(TargetGroupArn=group, Attributes=attributes)
    return group, made["DNSName"]


def get(dns_name: str) -> str:
    with urllib.request.urlopen(f"http://{dns_name}/", timeout=5) as answer:
        return str(answer.read().decode())


def healthy(aws: Callable[[str], Any], group: str) -> int:
    found = aws("elbv2").describe_target_health(TargetGroupArn=group)
    states = [one["TargetHealth"]["State"] for one in found["TargetHealthDescriptions"]]
    return states.count("healthy")


@pytest.fixture(scope="module")
def service(
    real: Sandbox,
    aws: Callable[[str], Any],
    instances: None,
    balancer: tuple[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> str:
    folder = tmp_path_factory.mktemp("image")
    reference = registry(real).push("web", pack(folder, "one "), tag="v1")
    aws("ecs").create_service(
        cluster="web",
        serviceName="web",
        taskDefinition=definition(aws, reference, GREETING="hello"),
        desiredCount=2,
        loadBalancers=[
            {"targetGroupArn": balancer[0], "containerName": "web", "containerPort": 8082}
        ],
        deploymentConfiguration={"minimumHealthyPercent": 100, "maximumPercent": 200},
    )
    until(lambda: healthy(aws, balancer[0]) == 2)
    return "web"


def pids(real: Sandbox) -> set[int]:
    text = Path(f"/proc/{real.pid}/task/{real.pid}/children").read_text()
    names = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes() for pid in text.split()}
    return {pid for pid, name in names.items() if b"service" in name}


def test_a_task_answers_through_the_load_balancer(service: str, balancer: tuple[str, str]) -> None:
    assert get(balancer[1]) == "one hello"


def test_its_lines_reach_the_log_group_in_a_stream_with_the_task(
    service: str, aws: Callable[[str], Any]
) -> None:
    tasks = aws("ecs").list_tasks(cluster="web")["taskArns"]
    streams = {f"task/web/{arn.rpartition('/')[2]}" for arn in tasks}
    events = until(lambda: aws("logs").filter_log_events(logGroupName="/app/stdout")["events"])

    assert {event["logStreamName"] for event in events} <= streams
    assert "starting with one" in [event["message"] for event in events]


def test_its_use_of_cpu_and_memory_and_its_health_are_metrics(
    service: str, aws: Callable[[str], Any]
) -> None:
    def seen() -> bool:
        listed = aws("cloudwatch").list_metrics()["Metrics"]
        names = {(one["Namespace"], one["MetricName"]) for one in listed}
        services = [
            one for one in listed if {"Name": "ServiceName", "Value": "web"} in one["Dimensions"]
        ]
        return (
            bool(services)
            and {
                ("AWS/ECS", "MemoryReservation"),
                ("AWS/ECS", "CPUUtilization"),
                ("AWS/NetworkELB", "HealthyHostCount"),
                ("AWS/AutoScaling", "GroupInServiceInstances"),
            }
            <= names
        )

    until(seen)


def test_a_killed_process_is_a_stopped_task_that_is_replaced(
    service: str, aws: Callable[[str], Any], real: Sandbox, balancer: tuple[str, str]
) -> None:
    victim = min(pids(real))
    os.kill(victim, signal.SIGKILL)
    ended = until(lambda: aws("ecs").list_tasks(cluster="web", desiredStatus="STOPPED")["taskArns"])
    task = aws("ecs").describe_tasks(cluster="web", tasks=ended)["tasks"][0]

    assert task["containers"][0]["exitCode"] == 137
    until(lambda: victim not in pids(real) and healthy(aws, balancer[0]) == 2)
    assert get(balancer[1]) == "one hello"


def test_a_rollout_under_load_loses_no_request(
    service: str,
    real: Sandbox,
    aws: Callable[[str], Any],
    balancer: tuple[str, str],
    tmp_path: Path,
) -> None:
    reference = registry(real).push("web", pack(tmp_path, "two "), tag="v2")
    arn = definition(aws, reference, GREETING="hello")
    answers = [get(balancer[1])]
    aws("ecs").update_service(cluster="web", service="web", taskDefinition=arn)

    def rolled() -> bool:
        answers.append(get(balancer[1]))
        found = aws("ecs").describe_services(cluster="web", services=["web"])["services"][0]
        deployments = found["deployments"]
        return len(deployments) == 1 and deployments[0]["rolloutState"] == "COMPLETED"

    until(rolled, within=60)
    assert set(answers) == {"one hello", "two hello"}
    assert get(balancer[1]) == "two hello"


def test_a_task_that_ends_at_start_shows_its_exit_code_and_its_last_lines(
    real: Sandbox, aws: Callable[[str], Any], instances: None, tmp_path: Path
) -> None:
    reference = registry(real).push("web", pack(tmp_path, "bad"), tag="v3")
    arn = definition(aws, reference, CRASH="1")
    made = aws("ecs").run_task(cluster="web", taskDefinition=arn)["tasks"][0]["taskArn"]

    assert stopped(aws, "web", made)["containers"][0]["exitCode"] == 3
    parameters = {"logGroupName": "/app/stdout", "filterPattern": '"cannot go on"'}
    until(lambda: aws("logs").filter_log_events(**parameters)["events"])


def test_a_stopped_task_has_the_exit_code_of_its_process_at_any_speed(
    real: Sandbox, aws: Callable[[str], Any], instances: None, tmp_path: Path
) -> None:
    reference = registry(real).push("web", pack(tmp_path, "four"), tag="v4")
    arn = definition(aws, reference, GREETING="hello")
    made = aws("ecs").run_task(cluster="web", taskDefinition=arn)["tasks"][0]["taskArn"]
    parameters = {"logGroupName": "/app/stdout", "filterPattern": '"starting with four"'}
    until(lambda: aws("logs").filter_log_events(**parameters)["events"])
    aws("ecs").stop_task(cluster="web", task=made)

    # It handles no signal, so TERM ends it: 128 + 15.
    assert stopped(aws, "web", made)["containers"][0]["exitCode"] == 143


def test_a_task_without_its_image_never_starts_and_says_why(
    aws: Callable[[str], Any], instances: None
) -> None:
    arn = definition(aws, "123456789012.dkr.ecr.us-east-1.amazonaws.com/web:absent")
    made = aws("ecs").run_task(cluster="web", taskDefinition=arn)["tasks"][0]["taskArn"]

    task = stopped(aws, "web", made)
    assert task["stopCode"] == "TaskFailedToStart"
    assert "CannotPullContainerError" in task["containers"][0]["reason"]
