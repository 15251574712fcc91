"""What somebody took away from under the service, or in front of it."""

import pytest

from opsctl.snapshot.snapshot import Look, Unread
from opsctl.snapshot.targets import Target
from tests.opsctl.cause.histories import ids, ranked
from tests.opsctl.snapshots import NEW, deployment, snapshot, stack

REVERT = "to make it again: opsctl ecs up --revert-drift"


def test_a_target_group_that_somebody_deleted_is_the_cause_and_the_way_out() -> None:
    # `why` said "nothing wrong that can be seen", because the targets could only not be read.
    call = ("elasticloadbalancing DescribeTargetHealth", "TargetGroupNotFound")
    unread = Unread("targets", "AWS refused DescribeTargetHealth", None, *call)
    [found] = ranked(snapshot(deployment("d1", NEW), states="", unread=(unread,)))
    assert (found.id, found.next) == ("target-group-gone", REVERT)


def test_a_target_group_without_a_listener_is_reported() -> None:
    targets = (Target("i-1:80", "unused", "Target.NotInUse"),)
    [found] = ranked(snapshot(deployment("d1", NEW), targets=targets))
    assert (found.id, found.next) == ("listener-gone", REVERT)


@pytest.mark.parametrize(
    ("outputs", "status", "expected"),
    [
        ({"ServiceArn": "arn:aws:ecs:x/web"}, "UPDATE_COMPLETE", ["service-gone"]),
        ({"ServiceArn": "arn:aws:ecs:x/web"}, "UPDATE_IN_PROGRESS", ["service-gone"]),
        ({"ServiceArn": "arn:aws:ecs:x/web"}, "DELETE_IN_PROGRESS", []),
        ({"ServiceArn": "arn:aws:ecs:x/web"}, "DELETE_FAILED", []),
        ({"ServiceArn": "arn:aws:ecs:x/of-before"}, "UPDATE_IN_PROGRESS", []),
        ({"ServiceArn": "arn:aws:ecs:x/of-before"}, "UPDATE_COMPLETE", ["service-gone"]),
        ({}, "UPDATE_COMPLETE", []),
    ],
)
def test_a_service_that_a_release_made_and_that_is_not_there_was_deleted(
    outputs: dict[str, str], status: str, expected: list[str]
) -> None:
    states = {"ecs": stack("ecs", status, outputs=outputs)}
    look = Look(frozenset({"service", "stacks"}), ("ecs",))
    found = ids(snapshot(states="", stacks=states, look=look))
    assert [one for one in found if one == "service-gone"] == expected
