"""A rollout on the screen: what is new since the last look, and why it failed when it did."""

import time
from functools import partial
from typing import TypeVar

from opsctl import aws
from opsctl.cli.options import Invocation
from opsctl.cli.screens.console import Console
from opsctl.errors import OpsError
from opsctl.rollout.follow import RolloutEvent, Watch
from opsctl.snapshot import lines as words
from opsctl.snapshot import service as observe

Error = TypeVar("Error", bound=OpsError)


def start(
    invocation: Invocation, image: str, *, forced: bool = False, joined: bool = False
) -> Watch:
    clients, config = invocation.clients, invocation.config.ecs
    where = (config.cluster_name, config.service_name)
    return Watch.start(
        partial(observe.observe, clients.ecs, clients.elbv2, *where),
        partial(observe.images, clients.ecs),
        image=image,
        forced=forced,
        joined=joined,
        said=partial(words.last, clients.ecs, clients.logs, sleep=time.sleep),
    )


def show(console: Console, event: RolloutEvent) -> None:
    console.emit("rollout", kind=event.kind, text=event.text, bad=event.bad)
    if event.kind != "outcome":
        mark = console.style("bad", "! ") if event.bad else "  "
        console.say(f"{mark}{event.text}")


def look(console: Console, watch: Watch) -> None:
    for event in watch.look():
        show(console, event)


def look_and_sleep(console: Console, watch: Watch, seconds: float) -> None:
    """What happens to the tasks while CloudFormation only says that it waits."""
    look(console, watch)
    time.sleep(seconds)


def blamed(console: Console, watch: Watch, error: Error) -> Error:
    """The same error with the reason that the tasks gave; CloudFormation knows of none.

    It may also have been quicker to undo than we were to look, hence once more.
    """
    aws.optional(lambda: look(console, watch), None)
    return type(error)(watch.because(error.message), hint=error.hint)
