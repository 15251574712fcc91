"""`ecs roll-instances` on real processes that are asked all the time."""

import signal
from collections.abc import Callable
from contextlib import closing

import pytest

from tests.end_to_end.place import Place, spawn
from tests.end_to_end.test_update_tasks import Load
from tests.opsctl_sandbox.clients import client_of

CONFIG = """\
name: moves
network: {vpc: vpc-00000001, subnets: [subnet-00000001, subnet-00000002]}
compute: {maximum: 4}
ecs:
  scaling: {minimum: 2, maximum: 6, cpu_percent: 60, requests: 100}
"""
TEMPLATE = """\
:80 {
    redir / /health.txt
}
:8082 {
    redis REDIS_ADDRESS
    transformresponse
}
"""
pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def place(sandbox: Place, system: Callable[[str], Place]) -> Place:
    """A scaled system of two tasks on two instances, with a release packed by the sandbox."""
    place = system("moves")
    (place.folder / "Caddyfile_template").write_text(TEMPLATE)
    config = place.folder / "opsctl.yaml"
    config.write_text(CONFIG)
    place.stand_up(tasks=2)
    packed = sandbox.opsctl("sandbox", "image", "--config", str(config))
    assert packed.returncode == 0, packed.stderr
    done = place.opsctl("update-tasks", "--yes", "--image", packed.stdout.strip())
    assert done.returncode == 0, done.stderr
    return place


def instances(place: Place) -> set[str]:
    """Those that take tasks."""
    with closing(client_of(place.env, "ecs")) as ecs:
        arns = ecs.list_container_instances(cluster="moves", status="ACTIVE")
        found = ecs.describe_container_instances(
            cluster="moves", containerInstances=arns["containerInstanceArns"]
        )
    return {one["ec2InstanceId"] for one in found["containerInstances"]}


def url(place: Place) -> str:
    with closing(client_of(place.env, "elbv2")) as elbv2:
        [balancer] = elbv2.describe_load_balancers(Names=["moves"])["LoadBalancers"]
    return f"http://{balancer['DNSName']}/v1/cids/1/entity_types/t/domains/d/keys/k"


def test_no_request_is_lost_even_when_the_command_is_killed_and_run_again(place: Place) -> None:
    before = instances(place)
    with Load(url(place)) as load:
        killed = spawn(place, "ecs", "roll-instances", "--all", "--yes")
        assert killed.stderr is not None
        said = ""
        while "draining" not in said:
            said = killed.stderr.readline()
            assert said, "it never drained an instance"
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        done = place.opsctl("ecs", "roll-instances", "--yes")
    assert done.returncode == 0, done.stderr
    assert "every instance is as it should be" in done.stderr
    after = instances(place)
    assert len(after) == 2 and not after & before
    assert load.lost == [] and load.answered > 100
