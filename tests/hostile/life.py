"""The life of a system, from `init` to `down`: what each command does, and what must be true then.

Each command is the ground of the next one, so that none needs a system of its own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from opsctl.snapshot import locks, releases
from opsctl_sandbox import images
from tests.hostile.conftest import TEMPLATE
from tests.hostile.flows import client

KINDS = ("db", "ecr", "ecs", "alarms")
_QUIET = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE")


class World:
    """What is in AWS of one system, asked without opsctl's commands."""

    def __init__(self, name: str, variables: Mapping[str, str], folder: Path) -> None:
        self.name, self.folder, self._variables = name, folder, variables
        self.images: list[str] = []

    def aws(self, service: str) -> Any:
        return client(service, self._variables)

    def stacks(self) -> dict[str, str]:
        """kind -> status, of those that are there."""
        cloudformation, found = self.aws("cloudformation"), {}
        for kind in KINDS:
            try:
                [stack] = cloudformation.describe_stacks(StackName=f"{self.name}-{kind}")["Stacks"]
            except cloudformation.exceptions.ClientError:
                continue
            found[kind] = stack["StackStatus"]
        return found

    def left(self) -> list[str]:
        """What of a change that did not happen is still there, and every lock that is held."""
        cloudformation, found = self.aws("cloudformation"), []
        for kind, status in self.stacks().items():
            stack = f"{self.name}-{kind}"
            if status == "REVIEW_IN_PROGRESS":
                found.append(stack)
            sets = cloudformation.list_change_sets(StackName=stack)["Summaries"]
            found += [one["ChangeSetName"] for one in sets if one["ExecutionStatus"] == "AVAILABLE"]
        for kind in KINDS:
            stack = f"{self.name}-{kind}"
            kept = locks.read(self.aws("ssm"), self.name, stack)
            found += [f"lock of {stack}" for one in kept[-1:] if one.held(datetime.now(UTC))]
        return found

    def service(self) -> Any:
        found = self.aws("ecs").describe_services(cluster=self.name, services=[self.name])
        return found["services"][0]

    def running(self) -> str:
        """The image of the live task definition."""
        definition = self.service()["taskDefinition"]
        described = self.aws("ecs").describe_task_definition(taskDefinition=definition)
        return str(described["taskDefinition"]["containerDefinitions"][0]["image"])

    def ledger(self) -> tuple[releases.Release, ...]:
        ssm = self.aws("ssm")
        return tuple(releases.read(ssm, self.name, 100))

    def push(self) -> None:
        """Two images of this system."""
        token = self.aws("ecr").get_authorization_token()["authorizationData"][0]
        registry = images.Registry(
            self._variables["AWS_ENDPOINT_URL"], f"Basic {token['authorizationToken']}"
        )
        for number in (1, 2):
            packed = images.pack(
                images.service_sources(),
                TEMPLATE.replace("REDIS_ADDRESS", "127.0.0.1:1") + f"# {number}\n",
                secrets=f"token: ssm:/{self.name}/token\n".encode(),
            )
            self.images.append(registry.push(self.name, packed, tag=f"t{number}"))


@dataclass(frozen=True, slots=True)
class Step:
    """`wrong` says what is not as it must be when the command has ended with 0; '' when all is.

    `calls` is about how many it makes. One that reads may end well in more ways.
    In `words`, NAME is the system, ONE and TWO are images.
    """

    words: str
    wrong: Callable[[World], str]
    calls: int
    typed: str = ""
    reads: bool = False

    def line(self, world: World) -> Sequence[str]:
        names = {"NAME": world.name, **dict(zip(("ONE", "TWO"), world.images, strict=False))}
        line = self.words
        for name, value in names.items():
            line = line.replace(name, value)
        return line.split()


def there(*kinds: str) -> Callable[[World], str]:
    """These stacks, at rest, and no other."""

    def wrong(world: World) -> str:
        found = world.stacks()
        well = set(found) == set(kinds) and all(one in _QUIET for one in found.values())
        return "" if well else f"the stacks are {found}"

    return wrong


def runs(number: int, tasks: int = 2, *, stacks: Sequence[str] = KINDS) -> Callable[[World], str]:
    """This image in every task, one deployment, its release closed once and as good."""

    def wrong(world: World) -> str:
        service, image = world.service(), world.images[number - 1]
        if world.running() != image:
            return f"{world.running()} runs"
        counts = (service["desiredCount"], service["runningCount"], len(service["deployments"]))
        if counts != (tasks, tasks, 1):
            return f"desired, running, deployments: {counts}"
        ledger = world.ledger()
        if not ledger or not ledger[-1].good or ledger[-1].image != image:
            return f"the newest release is {ledger[-1:]}"
        if running := [one.number for one in ledger if one.running]:
            return f"releases {running} are under way for ever"
        return there(*stacks)(world)

    return wrong


def released(number: int, times: int) -> Callable[[World], str]:
    """As `runs`, and written down as a good release so often."""

    def wrong(world: World) -> str:
        good = [one.number for one in world.ledger() if one.good]
        text = f"good releases: {good}" if len(good) != times else ""
        return runs(number)(world) or text

    return wrong


def nothing(world: World) -> str:
    return ""


def kept_secret(world: World) -> str:
    kept = world.aws("ssm").get_parameter(Name=f"/{world.name}/token", WithDecryption=True)
    return "" if kept["Parameter"]["Value"] == "another" else "the secret is not the one given"


def written(world: World) -> str:
    made = world.folder / "new/opsctl.yaml"
    return "" if made.exists() and list((made.parent / "service").iterdir()) else "nothing is there"


def saved(world: World) -> str:
    cache = f"{world.name}-redis"
    found = world.aws("elasticache").describe_snapshots(CacheClusterId=cache)["Snapshots"]
    made = [one["SnapshotStatus"] for one in found]
    return "" if made and set(made) == {"available"} else f"snapshots: {made}"


WAY = (
    Step("init new --name NAME --account", written, 5),
    Step("secrets set token --yes", kept_secret, 4, typed="another"),
    Step("db up --yes", there("db"), 24),
    Step("ecs up --yes", there("db", "ecr", "ecs"), 51),
    Step("alarms up --yes", there(*KINDS), 22),
    Step("update-tasks --yes --image ONE", released(1, 1), 90),
    Step("update-tasks --yes --image TWO", released(2, 2), 105),
    Step("rollback 1 --yes", released(1, 3), 130),
    Step("ecs roll-instances --all --yes", runs(1), 40),
    Step("ecs scale 3 --yes", runs(1, 3), 32),
    Step("ecs restart --yes", runs(1, 3), 80),
    Step("db snapshot --yes", saved, 3),
    Step("status", nothing, 30, reads=True),
    Step("status --check --json", nothing, 30, reads=True),
    Step("why --save why.tar.gz", nothing, 30, reads=True),
    Step("why --html why.html", nothing, 30, reads=True),
    Step("logs tail ecs stdout --no-follow --since 10m", nothing, 8, reads=True),
    Step("metrics --html metrics.html", nothing, 8, reads=True),
    Step("history --json", nothing, 8, reads=True),
    Step("diff", nothing, 20, reads=True),
    Step("doctor", nothing, 30, reads=True),
    Step("secrets check", nothing, 4, reads=True),
    Step("config show --origin", nothing, 1, reads=True),
    Step("render db ecs alarms ecr caddyfile task-definition --out out", nothing, 4, reads=True),
    Step("alarms down --confirm NAME-alarms", there("db", "ecr", "ecs"), 12),
    Step("ecs down --confirm NAME-ecs", there("db", "ecr"), 25),
    Step("db down --confirm NAME-db", there("ecr"), 10),
)
