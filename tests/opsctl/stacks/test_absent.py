"""What a command says when something that it needs is not there."""

from opsctl.snapshot.releases import Release
from opsctl.snapshot.snapshot import Look
from opsctl.stacks.absent import absent, gone
from tests.opsctl.snapshots import START, Driven, config, snapshot, stack

LOOK = Look(frozenset({"stacks", "releases", "cache"}), ("db", "ecs"))


def test_a_stack_that_was_never_there_is_only_missing() -> None:
    error = Driven(absent(config(), "ecs"), [snapshot(look=LOOK)]).result
    assert (error.message, error.hint, error.cause) == (
        "there is no stack `web-ecs`",
        "opsctl ecs up",
        "",
    )


def test_after_a_release_somebody_deleted_it() -> None:
    db = stack("db", "CREATE_COMPLETE")
    now = snapshot(look=LOOK, stacks={"db": db}, releases=(Release(7, START),))
    error = Driven(absent(config(), "ecs"), [now]).result
    assert error.cause == "stack-gone" and "release 7" in error.message


def test_a_cache_that_its_stack_made_was_deleted() -> None:
    made = snapshot(look=LOOK, stacks={"db": stack("db", "CREATE_COMPLETE")})
    error = gone(made)
    assert error is not None and error.cause == "cache-gone"
    assert gone(snapshot(look=LOOK)) is None
