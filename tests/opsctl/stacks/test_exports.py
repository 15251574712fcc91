"""What other stacks import of this one, and a change would take from them."""

from dataclasses import replace
from typing import Any, cast

import pytest

from opsctl.errors import OpsError
from opsctl.procedure import Notice
from opsctl.stacks import change, definition
from tests.opsctl.snapshots import Driven, config, stack, stacks
from tests.opsctl.stacks.fake import Clients, CloudFormation

ECS = definition.ecs(config())
OUTPUTS = {"TargetGroupFullName": "targetgroup/web/1", "ClusterName": "web"}
EXISTS = stacks(stack("ecs", "UPDATE_COMPLETE", outputs=OUTPUTS))
DELETED = {"ResourceDriftStatus": "DELETED", "Action": "Add"}
NAME = {"Attribute": "Properties", "Name": "Name", "RequiresRecreation": "Always"}
REPLACED = {"Replacement": "True", "Details": [{"Target": NAME}]}


def aws(details: dict[str, Any], *users: str, changes: tuple[str, ...] = ("TargetGroup",)) -> Any:
    made = CloudFormation(changes=changes)
    made.details = details
    made.template = ECS.template
    made.exported = {"web-ecs-TargetGroupFullName": list(users)}
    return made


def up(cloudformation: Any, **more: Any) -> Driven:
    wanted = replace(ECS, **more)
    clients = cast(Any, Clients(cloudformation))
    procedure = change.up(clients, wanted, bucket=None, sleep=lambda _: None)
    return Driven(procedure, [EXISTS] * 9, [True])


@pytest.mark.parametrize(
    ("details", "more", "way"),
    [
        (DELETED, {"reverts_drift": True}, "opsctl ecs up --revert-drift"),
        (REPLACED, {}, "opsctl ecs up"),
    ],
)
def test_an_export_in_use_is_told_before_the_question_with_the_way_out(
    details: dict[str, Any], more: dict[str, Any], way: str
) -> None:
    # The update made everything anew, failed at its end, and rolled all of it back: three times.
    cloudformation = aws(details, "web-alarms")
    with pytest.raises(
        OpsError, match="makes TargetGroup anew, and `web-alarms` imports"
    ) as caught:
        up(cloudformation, **more)
    assert caught.value.hint == f"opsctl alarms down; then: {way}; then: opsctl alarms up"
    assert cloudformation.executed == []


def test_a_plan_shows_it_beside_the_changes() -> None:
    clients = cast(Any, Clients(aws(REPLACED, "web-alarms")))
    driven = Driven(change.preview(clients, ECS, bucket=None), [EXISTS])
    assert any("first: opsctl alarms down" in one.text for one in driven.of(Notice))


def test_another_importer_must_let_go_first() -> None:
    with pytest.raises(OpsError, match="`mine` imports") as caught:
        up(aws(REPLACED, "mine"))
    assert (caught.value.hint or "").startswith("take that change back in opsctl.yaml")


@pytest.mark.parametrize(
    ("details", "users", "changes"),
    [
        (REPLACED, (), ("TargetGroup",)),
        ({}, ("web-alarms",), ("TargetGroup",)),
        (REPLACED, ("web-alarms",), ("LaunchTemplate",)),
    ],
    ids=["nobody imports it", "it stays", "it exports nothing"],
)
def test_other_changes_go_on(
    details: dict[str, Any], users: tuple[str, ...], changes: tuple[str, ...]
) -> None:
    cloudformation = aws(details, *users, changes=changes)
    clients = cast(Any, Clients(cloudformation))
    driven = Driven(change.preview(clients, ECS, bucket=None), [EXISTS])
    assert not [one for one in driven.of(Notice) if "imports" in one.text]
