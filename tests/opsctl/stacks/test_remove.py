"""Taking a stack down: the name first, then the deletion, and nothing between."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from opsctl.config.model import Config
from opsctl.errors import OpsError
from opsctl.procedure import Notice, Overtaken
from opsctl.snapshot.snapshot import Kind, Snapshot
from opsctl.stacks import remove
from opsctl.stacks.operation import Removal
from tests.opsctl.snapshots import Driven, event, happened, stack, stacks
from tests.opsctl.stacks.fake import Clients, CloudFormation

CONFIG = Config.model_validate(
    {"name": "web", "network": {"vpc": "vpc-1a2b3c4d", "subnets": ["subnet-1a2b3c4d"]}}
)
GONE = happened(event("e1", "DELETE_COMPLETE"))
EXISTS = stacks(stack("db", "CREATE_COMPLETE", outputs={"SecurityGroup": "sg"}))


class Ecr:
    exceptions = SimpleNamespace(RepositoryNotFoundException=KeyError)

    """`holds` are the images of each index: ECR keeps them as long as the index is there."""

    def __init__(self) -> None:
        self.images = [{"imageDigest": f"sha256:{n}"} for n in range(4)]
        self.holds: dict[str, set[str]] = {}

    def get_paginator(self, name: str) -> Any:
        # One entry for each tag.
        return SimpleNamespace(paginate=lambda **_: [{"imageIds": [*self.images, *self.images]}])

    def batch_delete_image(self, *, repositoryName: str, imageIds: Any) -> Any:
        there = {image["imageDigest"] for image in self.images}
        held = set().union(*(self.holds.get(digest, ()) for digest in there))
        gone = [image for image in imageIds if image["imageDigest"] not in held]
        self.images = [image for image in self.images if image not in gone]
        failures = [
            {
                "imageId": image,
                "failureCode": "ImageReferencedByManifestList",
                "failureReason": "Requested image referenced by manifest list",
            }
            for image in imageIds
            if image not in gone
        ]
        return {"failures": failures}


def down(
    aws: CloudFormation,
    *snapshots: Snapshot,
    answers: tuple[bool, ...] = (True,),
    kind: Any = "db",
    **clients: Any,
) -> Driven:
    made = cast(Any, Clients(aws, **clients))
    procedure = remove.down(made, CONFIG, kind)
    return Driven(procedure, snapshots, answers)


def test_a_stack_that_changed_during_the_question_is_shown_and_asked_about_again() -> None:
    aws = CloudFormation()
    aws.status = "UPDATE_COMPLETE"
    updated = stacks(stack("db", "UPDATE_COMPLETE"))
    driven = down(aws, EXISTS, updated, GONE, answers=(True, True))
    assert len(driven.questions) == 2 and len(driven.of(Overtaken)) == 1
    assert aws.deleted == ["arn:web-db"] and driven.result.kind == "removed"


def test_the_stack_is_removed_after_its_name_was_typed() -> None:
    aws = CloudFormation()
    driven = down(aws, EXISTS, GONE)
    assert [question.name for question in driven.questions] == ["web-db"]
    assert aws.deleted == ["arn:web-db"] and driven.result.kind == "removed"
    assert driven.of(Removal)[0].stack == "web-db"


def test_what_stays_after_the_stack_is_listed_before_the_name_is_asked_for() -> None:
    aws = CloudFormation()
    aws.template = (
        "Resources:\n  Cache: {DeletionPolicy: Snapshot}\n"
        "  Logs: {DeletionPolicy: RetainExceptOnCreate}\n  Rest: {Type: T}\n"
    )
    [removal] = down(aws, EXISTS, answers=(False,)).of(Removal)
    assert removal.stays == {"Logs"} and removal.snapshots == {"Cache"}


def test_without_the_name_nothing_is_done() -> None:
    aws = CloudFormation()
    assert down(aws, EXISTS, answers=(False,)).result.kind == "cancelled"
    assert aws.deleted == []


def test_images_are_removed_after_the_answer_and_not_before() -> None:
    # A2, D1: `ecs down --repository` once emptied the repository, and then asked.
    ecr = Ecr()
    repository = stacks(stack("ecr", "CREATE_COMPLETE", outputs={"RepositoryName": "web"}))
    down(CloudFormation(), repository, answers=(False,), kind="ecr", ecr=ecr)
    assert len(ecr.images) == 4
    gone = happened(event("e1", "DELETE_COMPLETE"))
    down(CloudFormation(), repository, gone, kind="ecr", ecr=ecr)
    assert ecr.images == []


def test_an_index_goes_before_the_images_that_it_names() -> None:
    # Without them gone the removal of the stack ends in DELETE_FAILED.
    ecr = Ecr()
    ecr.holds = {"sha256:3": {"sha256:2", "sha256:0"}, "sha256:2": {"sha256:1"}}
    repository = stacks(stack("ecr", "CREATE_COMPLETE", outputs={"RepositoryName": "web"}))
    gone = happened(event("e1", "DELETE_COMPLETE"))
    assert down(CloudFormation(), repository, gone, kind="ecr", ecr=ecr).result.kind == "removed"
    assert ecr.images == []


def test_images_that_ecr_keeps_are_reported_before_the_stack_is_touched() -> None:
    ecr, aws = Ecr(), CloudFormation()
    ecr.holds = {"sha256:0": {"sha256:1"}, "sha256:1": {"sha256:0"}}
    repository = stacks(stack("ecr", "CREATE_COMPLETE", outputs={"RepositoryName": "web"}))
    with pytest.raises(OpsError, match="ECR keeps 2 images of `web`: Requested image referenced"):
        down(aws, repository, kind="ecr", ecr=ecr)
    assert aws.deleted == []


@pytest.mark.parametrize(
    ("kind", "user", "hint"),
    [
        ("db", "web-ecs", "opsctl ecs down"),
        ("ecs", "web-alarms", "opsctl alarms down"),
        ("db", "theirs", "remove that stack first"),
    ],
)
def test_a_stack_that_another_one_imports_from_cannot_go(kind: Kind, user: str, hint: str) -> None:
    aws = CloudFormation()
    aws.exported[f"web-{kind}-SecurityGroup"] = [user]
    there = stacks(stack(kind, "CREATE_COMPLETE", outputs={"SecurityGroup": "sg"}))
    with pytest.raises(OpsError, match=f"while `{user}` uses it") as caught:
        down(aws, there, kind=kind)
    assert caught.value.hint == hint and aws.deleted == []


def test_termination_protection_is_honoured() -> None:
    aws = CloudFormation()
    with pytest.raises(OpsError, match="termination protection"):
        down(aws, stacks(stack("db", "CREATE_COMPLETE", protected=True)))
    assert aws.deleted == []


def test_a_stack_that_is_not_ours_stays() -> None:
    with pytest.raises(OpsError, match="was not made by opsctl"):
        down(CloudFormation(), stacks(stack("db", "CREATE_COMPLETE", tags={})))


def test_no_stack_is_nothing_to_remove() -> None:
    driven = down(CloudFormation(), stacks())
    assert driven.result.kind == "no-changes" and "nothing to remove" in driven.of(Notice)[0].text


def test_a_deletion_that_stops_half_way_is_a_failure() -> None:
    stopped = happened(
        event("e1", "DELETE_FAILED", "has a dependent object", of="SecurityGroup"),
        event("e2", "DELETE_FAILED"),
    )
    outcome = down(CloudFormation(), EXISTS, stopped).result
    assert outcome.kind == "failed"
    assert "DELETE_FAILED: SecurityGroup: has a dependent object" in outcome.reason


def test_what_stops_a_deletion_twice_is_left_behind_after_a_yes() -> None:
    aws = CloudFormation()
    aws.status = "DELETE_FAILED"
    aws.resources = [
        {"LogicalResourceId": "Group", "PhysicalResourceId": "g-1", "ResourceType": "X",
         "ResourceStatus": "DELETE_FAILED"}
    ]  # fmt: skip
    half = stacks(stack("db", "DELETE_FAILED"))
    again = happened(event("e1", "DELETE_FAILED"))
    driven = down(aws, half, again, GONE, answers=(True, True))
    assert "leaving Group behind" in driven.questions[1].text and aws.retained == ["Group"]
    assert driven.result.kind == "removed"
    assert "left behind, in no stack any more: Group `g-1`" in driven.of(Notice)[-1].text


REVIEWED = stacks(stack("db", "REVIEW_IN_PROGRESS"))


def test_a_stack_that_is_only_reviewed_has_nothing_in_it_and_goes() -> None:
    aws = CloudFormation()
    aws.status = "REVIEW_IN_PROGRESS"
    driven = down(aws, REVIEWED, GONE)
    [removal] = driven.of(Removal)
    assert removal.resources == () and "nothing was created yet" in removal.why
    assert aws.deleted == ["arn:web-db"] and driven.result.kind == "removed"


def test_what_somebody_makes_of_a_reviewed_stack_meanwhile_is_shown_before_it_goes() -> None:
    aws = CloudFormation()
    driven = down(aws, REVIEWED, EXISTS, answers=(True, False))
    assert aws.deleted == [] and driven.result.kind == "cancelled"
