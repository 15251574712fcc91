"""What only looks changes nothing and waits for nobody, whatever state the stacks are in."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from opsctl.errors import OpsError
from opsctl.procedure import Procedure, Waiting
from opsctl.releases.rollback import Rollback
from opsctl.rollout import ecs, roll_instances, scale
from opsctl.snapshot.locks import Lock
from opsctl.snapshot.releases import Release
from opsctl.snapshot.snapshot import Look, Snapshot
from opsctl.stacks import alarms, db, states
from tests.opsctl.releases.world import CONFIG, DIGEST, URI, World
from tests.opsctl.snapshots import START, Driven
from tests.opsctl.stacks.fake import Clients

# A change set that is not executed changes nothing, and is removed again.
_LOOKS = ("Describe", "List", "Get", "CreateChangeSet", "DeleteChangeSet")
GOOD = Release(1, START, image=f"{URI}@{DIGEST}", outcome="deployed")
STATUSES = sorted({*states.MEANING, *states.EXPECTED, *states.TAKES_CHANGES})


def rollback(world: World, clients: Any) -> Procedure[bool]:
    return Rollback(
        clients, CONFIG, Path("/nowhere"), sleep=lambda _: None, labels=lambda clients, image: {}
    ).preview()


PREVIEWS: dict[str, Callable[[World, Any], Procedure[bool]]] = {
    "update-tasks": lambda world, clients: world.release().preview(),
    "restart": lambda world, clients: world.release().preview(),
    "rollback": rollback,
    "roll-instances": lambda world, clients: roll_instances.differ(clients, CONFIG),
    "scale": lambda world, clients: scale.preview(CONFIG, 3),
    "ecs plan": lambda world, clients: ecs.preview(clients, CONFIG),
    "db plan": lambda world, clients: db.preview(clients, CONFIG),
    "alarms plan": lambda world, clients: alarms.preview(clients, CONFIG),
}


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("command", PREVIEWS)
def test_a_preview_changes_nothing(command: str, status: str, tmp_path: Path) -> None:
    options = {"restart": True} if command == "restart" else {"image": DIGEST}
    world = World(tmp_path, held=True, **options)
    world.caller_gone = True
    world.aws.before = refuse
    world.ssm.before = refuse
    dead = Lock("web-ecs", 1, "t", "bob", "laptop", "p", "up", until=START + timedelta(hours=1))
    seen = world._look("UPDATE_COMPLETE")

    def look(wanted: Look) -> Snapshot:
        now = seen(wanted)
        stacks = {kind: replace(one, status=status) for kind, one in now.stacks.items()}
        parts: dict[str, Any] = {"locks": {"ecs": dead}, "newest_image": "ami-1"}
        return replace(now, stacks=stacks, releases=(GOOD,), **parts)

    clients = cast(Any, Clients(world.aws, ecr=world.ecr, ssm=world.ssm))
    clients.caller = replace(clients.caller, process="next", gone=lambda one: one != "next")
    try:
        driven = Driven(PREVIEWS[command](world, clients), look)
    except OpsError as error:
        assert error.hint, "whoever looks learns what to do"
    else:
        assert driven.questions == []
        assert not any(item.subject for item in driven.of(Waiting))
    assert world.aws.change_sets == {} and world.ssm.values == {}


def refuse(operation: str) -> None:
    assert operation.startswith(_LOOKS), f"{operation} changes something"
