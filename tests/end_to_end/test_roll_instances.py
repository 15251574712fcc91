"""`ecs roll-instances` on real processes that are asked all the time.

`ROUNDS=10` kills it at ten moments, with room for a new instance and without.
"""

import os
import signal
import subprocess
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing

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
ROUNDS = int(os.environ.get("ROUNDS", "1"))
# What the command says when it is killed, and how many seconds later; the maximum of the group.
MOMENTS = [("draining", 0.0), ("launching", 0.0), ("starts and joins", 0.3), ("draining", 0.3),
           ("tasks move", 0.0), ("tasks move", 0.6), ("terminating", 0.0), ("terminating", 0.2),
           ("waiting until", 0.0), ("launching", 0.2)]  # fmt: skip
MAXIMA = [4] if ROUNDS == 1 else [4, 2, 3]
pytestmark = pytest.mark.timeout(240 + 60 * ROUNDS)


@pytest.fixture(scope="module")
def place(sandbox: Place, system: Callable[[str], Place]) -> Place:
    """A scaled system of two tasks on two instances, with a release packed by the sandbox.

    All of it by somebody who has the policy that opsctl prints, and no other right.
    """
    owner = system("moves")
    (owner.folder / "Caddyfile_template").write_text(TEMPLATE)
    config = owner.folder / "opsctl.yaml"
    config.write_text(CONFIG)
    place = operator(owner)
    place.stand_up(tasks=2)
    packed = sandbox.opsctl("sandbox", "image", "--config", str(config))
    assert packed.returncode == 0, packed.stderr
    done = place.opsctl("update-tasks", "--yes", "--image", packed.stdout.strip())
    assert done.returncode == 0, done.stderr
    return place


def operator(owner: Place) -> Place:
    """The same place for a user with the rights of an operator."""
    policy = owner.opsctl("iam-policy").stdout
    with closing(client_of(owner.env, "iam")) as iam:
        iam.create_user(UserName="operator")
        iam.put_user_policy(UserName="operator", PolicyName="p", PolicyDocument=policy)
        key = iam.create_access_key(UserName="operator")["AccessKey"]
    keys = {
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
    }
    return Place(owner.folder, {**owner.env, **keys})


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


class Targets:
    """How few healthy ones there were, looked at all the time."""

    def __init__(self, place: Place) -> None:
        self.fewest = 1 << 30
        self._stop = threading.Event()
        self._elbv2 = client_of(place.env, "elbv2")
        [group] = self._elbv2.describe_target_groups(Names=["moves"])["TargetGroups"]
        self._arn = group["TargetGroupArn"]
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Targets":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._elbv2.close()

    def _run(self) -> None:
        while not self._stop.wait(0.05):
            answer = self._elbv2.describe_target_health(TargetGroupArn=self._arn)
            states = [one["TargetHealth"]["State"] for one in answer["TargetHealthDescriptions"]]
            self.fewest = min(self.fewest, states.count("healthy"))


def killed(place: Place, words: list[str], moment: str, later: float) -> bool:
    """With -9, when it has said this; False when it ended before."""
    command = spawn(place, "ecs", "roll-instances", "--yes", *words)
    assert command.stderr is not None
    said = " "
    while said and moment not in said:
        said = command.stderr.readline()
    with ExitStack() as ending:
        ending.callback(command.communicate)
        ending.callback(command.kill)
        try:
            return bool(said) and command.wait(later) != 0
        except subprocess.TimeoutExpired:
            command.send_signal(signal.SIGKILL)
            return True


@pytest.mark.parametrize("maximum", MAXIMA)
def test_no_request_is_lost_even_when_the_command_is_killed_and_run_again(
    place: Place, maximum: int
) -> None:
    if maximum != 4:
        (place.folder / "opsctl.yaml").write_text(
            CONFIG.replace("maximum: 4", f"maximum: {maximum}")
        )
        assert place.opsctl("ecs", "up", "--yes").returncode == 0
    before, kills = instances(place), 0
    with Load(url(place)) as load, Targets(place) as targets:
        for moment, later in MOMENTS[:ROUNDS]:
            if maximum == 2 and moment in ("launching", "waiting until"):
                continue
            under_way = kills and "go on" in place.opsctl("ecs", "roll-instances").stderr
            kills += killed(place, [] if under_way else ["--all"], moment, later)
        done = place.opsctl("ecs", "roll-instances", "--yes")
    assert done.returncode == 0, done.stderr
    assert kills == ROUNDS or ROUNDS > 1 and kills
    after = instances(place)
    assert len(after) == 2 and not after & before
    assert load.lost == [] and load.answered > 100
    assert targets.fewest >= 2
