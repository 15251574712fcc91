"""`update-tasks` killed at each of its calls to AWS: the same command again ends right."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.opsctl.releases.world import DIGEST, URI, World
from tests.opsctl.ssm import Killed

# What a command would do at its end, a killed one only tries.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


class Life:
    """Ends at the call with this number; nothing gets through after that."""

    def __init__(self, world: World, calls: int) -> None:
        self.left, self.made = calls, 0
        self.world = world
        world.ssm.before = world.aws.before = self.step
        self.reading = {name: getattr(world.ecr, name) for name in _ECR}
        for name, call in self.reading.items():
            setattr(world.ecr, name, self._counted(call))

    def step(self, operation: str) -> None:
        self.made += 1
        self.left -= 1
        if self.left < 0:
            raise Killed(operation)

    def over(self) -> None:
        """The dead make no calls; whoever comes next makes them all."""
        self.world.ssm.before = self.world.aws.before = lambda operation: None
        for name, call in self.reading.items():
            setattr(self.world.ecr, name, call)

    def _counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(**parameters: Any) -> Any:
            self.step("ecr")
            return call(**parameters)

        return counted


_ECR = ("describe_repositories", "describe_images", "get_authorization_token")
_FOREVER = 1000


def lived(root: Path, calls: int, **options: Any) -> tuple[World, Life, bool]:
    world = World(root, **options)
    life = Life(world, calls)
    killed = died(world)
    life.over()
    return world, life, killed


def died(world: World) -> bool:
    """Nothing holds the error afterwards: with it the dead would live on."""
    try:
        world.run(True)
    except Killed:
        return True
    return False


def require_right(world: World, moment: object) -> None:
    """Given again by another process, which knows that the first one has ended."""
    world.caller_gone = True
    driven = world.run(True)
    assert driven.result.good, (moment, driven.result)
    kept = world.history()
    assert [one.number for one in kept] == list(range(1, len(kept) + 1)), moment
    assert [one.outcome for one in kept if one.good] == ["deployed"], (moment, kept)
    assert not [one for one in kept if one.running], (moment, kept)
    assert kept[-1].good and kept[-1].image == f"{URI}@{DIGEST}", (moment, kept)
    assert not world.locked() and len(world.aws.executed) == 1, moment


def test_whenever_it_is_killed_the_same_command_ends_right(tmp_path: Path) -> None:
    _, whole, _ = lived(tmp_path, _FOREVER, held=True, image=DIGEST)
    assert whole.made > 20
    for calls in range(whole.made):
        world, _, killed = lived(tmp_path, calls, held=True, image=DIGEST)
        assert killed, calls
        require_right(world, calls)


@pytest.mark.parametrize("step", ["build", "push"])
def test_killed_while_it_builds_or_pushes_it_does_that_again_and_rolls_once(
    root: Path, step: str
) -> None:
    world = World(root)
    work = getattr(world.engine, step)

    def killed(*given: Any, **more: Any) -> Any:
        world.ssm.before = world.aws.before = dead
        raise Killed(step)

    def dead(operation: str) -> None:
        raise Killed(operation)

    setattr(world.engine, step, killed)
    assert died(world)
    world.ssm.before = world.aws.before = lambda operation: None
    assert world.history() == ()
    setattr(world.engine, step, work)
    require_right(world, step)
