"""What CloudFormation says, in its many words; its echoes never rank."""

from dataclasses import replace
from datetime import timedelta

import pytest

from opsctl.cause.history import Failure
from opsctl.snapshot.instances import Group
from opsctl.snapshot.releases import Release
from opsctl.snapshot.security_groups import Ingress, SecurityGroup
from opsctl.snapshot.snapshot import Look
from opsctl.snapshot.targets import Target, TargetGroup
from tests.opsctl.cause.histories import first, ids, ranked
from tests.opsctl.snapshots import START, event, happened, snapshot, stack

WRAPPED = 'Resource handler returned message: "{}" (RequestToken: 1-2, HandlerErrorCode: X)'
REASONS = [
    ("service-limit", "The number of nodes would exceed the quota of this account"),
    ("service-limit", "The maximum number of VPCs has been reached. (VpcLimitExceeded)"),
    ("name-exists", "web-redis already exists"),
    (
        "name-exists",
        "Resource of type 'AWS::Logs::LogGroup' with identifier '/web/app' already exists",
    ),
    ("name-exists", "[AWS::EarlyValidation::ResourceExistenceCheck]"),
    (
        "permission-missing",
        "User: arn:x is not authorized to perform: iam:CreateRole on resource: r",
    ),
    (
        "permission-missing",
        "API: ec2:RunInstances You are not authorized to perform this operation.",
    ),
    ("capability-missing", "Requires capabilities : [CAPABILITY_NAMED_IAM]"),
    ("resource-failed", "Invalid parameter: Subnet subnet-1 does not exist"),
]
GROUP = "AWS::AutoScaling::AutoScalingGroup"
LAUNCHES = [
    "You have requested more vCPU capacity than your current vCPU limit of 4 allows",
    "Group did not stabilize. {current/minSize/desired} instances = {0/0/2}",
    "We currently do not have sufficient t3.xlarge capacity. Launching EC2 instance failed.",
    "The key pair 'ops' does not exist. Launching EC2 instance failed.",
    "Invalid IAM Instance Profile name. Launching EC2 instance failed.",
]


@pytest.mark.parametrize(("cause", "reason"), REASONS)
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_failed_resource_is_explained_by_its_reason(
    cause: str, reason: str, wrapped: bool
) -> None:
    text = WRAPPED.format(reason) if wrapped else reason
    failed = event("e1", "CREATE_FAILED", text, of="Thing")
    top = first(snapshot(failures=(failed,)))
    assert top.id == cause
    assert "RequestToken" not in top.sentence and "Thing of `web-db`" in top.sentence


def test_every_failed_deletion_has_the_cause_that_something_blocks_it() -> None:
    failed = event("e1", "DELETE_FAILED", "resource sg-1 has a dependent object", of="Group")
    top = first(snapshot(failures=(failed,)))
    assert top.id == "delete-blocked" and top.next.endswith("opsctl db down")


def test_echoes_never_rank() -> None:
    echo = event("e1", "CREATE_FAILED", "Resource creation cancelled", of="Other")
    own = event("e2", "CREATE_FAILED", "no such subnet", of="Thing")
    [top] = ranked(snapshot(failures=(echo, own)))
    assert "Thing" in top.sentence


@pytest.mark.parametrize("reason", LAUNCHES)
def test_a_refused_launch_is_recognized_from_the_stacks_event_alone(reason: str) -> None:
    failed = event("e1", "CREATE_FAILED", reason, of="AutoScalingGroup", type=GROUP)
    assert ids(snapshot(failures=(failed,))) == ["asg-cannot-launch"]


def test_a_group_that_somebody_suspended_is_the_cause_and_the_way_out() -> None:
    # `no-instance` said `opsctl ecs up`, which launches nothing either.
    group = Group("asg", 0, 2, 2, suspended=("AZRebalance", "Launch"))
    [top] = ranked(snapshot(group=group))
    assert top.id == "asg-cannot-launch" and "somebody suspended Launch" in top.sentence
    assert top.next == (
        "aws autoscaling resume-processes --auto-scaling-group-name asg --scaling-processes Launch"
    )


def test_a_failure_signal_comes_with_the_console_of_its_instance() -> None:
    reason = "Received 1 FAILURE signal(s) out of 2. Unable to satisfy 100% requirement"
    failed = event("e1", "CREATE_FAILED", reason, of="AutoScalingGroup", type=GROUP)
    logs = {"i-1": ("+ dnf install", "Error: Failed to download metadata for repo", "opsctl: bye")}
    top = first(snapshot(failures=(failed,), start_logs=logs))
    assert top.id == "signal-missing"
    assert "Failed to download metadata" in top.sentence


def test_a_stack_that_had_failed_before_is_explained_by_its_own_reason() -> None:
    state = stack(
        "db", "ROLLBACK_COMPLETE", reason="The following resource(s) failed to create: [X]."
    )
    assert ids(snapshot(stacks={"db": state})) == ["resource-failed"]


def test_what_was_rolled_back_before_a_command_is_not_why_it_was_refused() -> None:
    rolling, back = (stack("ecs", f"UPDATE_ROLLBACK_{end}") for end in ("IN_PROGRESS", "COMPLETE"))
    refused = Failure("OpsError", "`image.repository` is another one")
    at_rest = snapshot(stacks={"ecs": back})
    assert not [one for one in ranked(at_rest, failures=(refused,)) if one.hinders]
    ended = snapshot(stacks={"ecs": back}, seconds=9)
    here = ranked(snapshot(stacks={"ecs": rolling}), ended, failures=(refused,))
    assert here[0].hinders and here[0].sentence == "`web-ecs` is UPDATE_ROLLBACK_COMPLETE"


def test_an_update_that_somebody_cancelled_has_nothing_to_correct() -> None:
    back = stack("db", "UPDATE_ROLLBACK_COMPLETE")
    said = event("e1", "UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated")
    echo = event("e2", "UPDATE_FAILED", "Resource update cancelled", of="Group")
    top = first(snapshot(stacks={"db": back}, failures=(echo, said)))
    assert (top.id, top.hinders) == ("update-cancelled", False)
    assert top.next == "if it is still wanted: opsctl db up"
    assert "User Initiated" in top.evidence[0].quote


def test_a_release_that_somebody_cancelled_is_wanted_again_with_its_own_command() -> None:
    # The hint was `opsctl ecs up`, which cannot bring that image: "no changes", and again.
    back = stack("ecs", "UPDATE_ROLLBACK_COMPLETE")
    said = replace(
        event("e1", "UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated"),
        stack="web-ecs",
        logical_id="web-ecs",
    )
    now = snapshot(stacks={"ecs": back}, failures=(said,))

    def told(minutes: int, outcome: str) -> tuple[str, bool]:
        begun = START + timedelta(minutes=minutes)
        release = Release(7, begun, outcome=outcome)
        [cause] = [
            one for one in ranked(replace(now, releases=(release,))) if one.id == "update-cancelled"
        ]
        return cause.next, cause.over

    assert told(-1, "cancelled") == ("if it is still wanted: opsctl update-tasks", False)
    assert told(-1, "deployed") == ("if it is still wanted: opsctl ecs up", False)
    assert told(+1, "deployed") == ("if it is still wanted: opsctl ecs up", True)


def test_a_stack_that_lost_its_tags_is_told_with_the_command_that_puts_them_back() -> None:
    tags = {"opsctl:name": "web", "opsctl:stack": "db"}
    lost = stack("ecs", "UPDATE_COMPLETE", tags={"team": "x"}, parameters={"Image": "a"})
    [cause] = ranked(
        snapshot(stacks={"db": stack("db", "CREATE_COMPLETE", tags=tags), "ecs": lost})
    )
    assert (cause.id, cause.evidence[0].quote) == ("not-ours", "its tags: team=x")
    assert cause.next.endswith(
        "aws cloudformation update-stack --stack-name web-ecs --use-previous-template "
        "--capabilities CAPABILITY_NAMED_IAM --parameters ParameterKey=Image,UsePreviousValue=true "
        "--tags Key=team,Value=x Key=opsctl:name,Value=web Key=opsctl:stack,Value=ecs"
    )
    [alone] = ranked(snapshot(stacks={"ecs": lost}))
    assert alone.next == "choose another `name` in opsctl.yaml"


def test_a_rollback_that_opsctl_continued_is_not_one_that_somebody_asked_for() -> None:
    failed = event("e1", "UPDATE_FAILED", "Export x cannot be updated as it is in use", of="Group")
    rolls = event("e2", "UPDATE_ROLLBACK_IN_PROGRESS", "The following resource(s) failed: [Group]")
    stuck = event("e3", "UPDATE_ROLLBACK_FAILED", "The following resource(s) failed to update: [X]")
    again = event("e4", "UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated")
    back = stack("db", "UPDATE_ROLLBACK_COMPLETE")
    causes = ids(snapshot(stacks={"db": back}, failures=(failed, rolls, stuck, again)))
    assert again.is_cancellation and "update-cancelled" not in causes
    assert "update-cancelled" in ids(snapshot(stacks={"db": back}, failures=(again,)))


def test_an_operation_that_somebody_began_is_not_one_that_somebody_cancelled() -> None:
    begun = event("e1", "UPDATE_IN_PROGRESS", "User Initiated")
    back = stack("db", "UPDATE_ROLLBACK_COMPLETE")
    causes = ids(snapshot(stacks={"db": back}, failures=(begun,)))
    assert not begun.is_cancellation and "update-cancelled" not in causes


def test_a_failed_stack_that_was_made_anew_is_over() -> None:
    dead = stack("db", "ROLLBACK_COMPLETE", reason="[X] failed")
    made = stack("db", "CREATE_COMPLETE")
    causes = ranked(snapshot(stacks={"db": dead}), snapshot(stacks={"db": made}, seconds=9))
    assert [(cause.id, cause.over) for cause in causes] == [("resource-failed", True)]


def test_a_rollback_that_failed_is_named_with_the_command_that_continues_it() -> None:
    state = stack("ecs", "UPDATE_ROLLBACK_FAILED", reason="[Service] failed to update")
    [top] = ranked(snapshot(stacks={"ecs": state}))
    assert top.id == "stack-stuck" and top.next == "to continue the rollback: opsctl ecs up"
    assert top.evidence[0].quote == "UPDATE_ROLLBACK_FAILED [Service] failed to update"


def test_a_stack_that_was_removed_since_is_over() -> None:
    half = stack("db", "DELETE_FAILED", reason="[SecurityGroup] failed to delete")
    gone = happened(event("e9", "DELETE_COMPLETE"), seconds=9)
    refused = Failure("OpsError", "`web-db` cannot make what exists already")
    causes = ranked(snapshot(stacks={"db": half}), gone, failures=(refused,))
    assert [one.over for one in causes if one.id == "delete-blocked"] == [True]


def test_an_earlier_rollback_is_not_mentioned_once_a_change_has_succeeded() -> None:
    before, after = stack("ecs", "UPDATE_ROLLBACK_COMPLETE"), stack("ecs", "UPDATE_COMPLETE")
    assert ids(snapshot(stacks={"ecs": before}), snapshot(stacks={"ecs": after}, seconds=9)) == []
    db = stack("db", "UPDATE_ROLLBACK_COMPLETE")
    ended = happened(event("e1", "UPDATE_COMPLETE"), seconds=9)  # known from its events alone
    assert ids(snapshot(stacks={"db": db}), ended) == []


def test_stacks_that_somebody_deleted_are_known_by_the_release_that_needed_them() -> None:
    look = Look(frozenset({"stacks", "releases"}))
    empty = snapshot(look=look, states="")
    assert ids(empty) == []  # nothing was ever here
    db, release = stack("db", "CREATE_COMPLETE"), Release(3, START)
    cause = first(replace(empty, stacks={"db": db}, releases=(release,)))
    assert (cause.id, cause.next) == ("stack-gone", "opsctl ecs up")
    assert "no stack `web-ecs`" in cause.sentence and "release 3" in cause.sentence
    assert first(replace(empty, releases=(release,))).next == "opsctl db up"
    only_ecs = replace(empty, look=replace(look, stacks=("ecs",)), releases=(release,))
    assert "web-db" not in first(only_ecs).sentence  # nobody looked
    # whoever took it down knows
    assert ids(replace(empty, releases=(release,)), command="ecs down --yes") == []


def test_a_security_group_that_blocks_the_instances_is_found_by_its_rules() -> None:
    db = stack("db", "CREATE_COMPLETE", outputs={"SecurityGroup": "sg-1", "RedisPort": "6379"})
    ecs = stack("ecs", "CREATE_COMPLETE", outputs={"InstanceSecurityGroup": "sg-3"})
    shut = SecurityGroup("sg-1", ingress=(Ingress(6379, 6379, ("sg-2",)),))
    now = snapshot(stacks={"db": db, "ecs": ecs}, security_groups=(shut,), states="healthy")
    top = first(now)
    assert top.id == "redis-unreachable"
    assert "sg-1 of the cache admits sg-2, the instances have sg-3" in top.sentence
    # An aws command would make a rule that the stack does not know.
    assert top.next == "to admit them again: opsctl ecs up --revert-drift"
    for admitted in ("sg-3", "10.0.0.0/8"):
        open_ = replace(shut, ingress=(Ingress(6379, 6379, (admitted,)),))
        assert ids(replace(now, security_groups=(open_,))) == []


def test_a_group_that_blocks_the_load_balancer_is_named_with_the_missing_rule() -> None:
    ecs = stack("ecs", "CREATE_COMPLETE", outputs={"InstanceSecurityGroup": "sg-3"})
    shut = SecurityGroup("sg-3", ingress=(Ingress(22, 22, ("10.0.0.0/8",)),))
    late = Target("i-1:40000", "unhealthy", "Target.Timeout", "Request timed out")
    groups = (TargetGroup("tg", security_groups=("sg-7", "sg-8")),)
    now = snapshot(stacks={"ecs": ecs}, security_groups=(shut,), target_groups=groups)
    top = first(replace(now, targets=(late,)))
    assert top.id == "target-unhealthy"
    assert top.next == "to admit the load balancer again: opsctl ecs up --revert-drift"
    # One of its groups is enough.
    open_ = replace(shut, ingress=(Ingress(32768, 60999, ("sg-8",)),))
    assert "authorize" not in first(replace(now, targets=(late,), security_groups=(open_,))).next


@pytest.mark.parametrize("status", ["UPDATE_ROLLBACK_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"])
def test_a_change_that_was_rolled_back_hinders_only_the_command_that_made_it(status: str) -> None:
    failed = event("e1", "UPDATE_FAILED", "no such node type", of="Cache")
    now = replace(snapshot(stacks={"db": stack("db", status)}), failures=(failed,))
    assert [one.hinders for one in ranked(now)] == [False]
    assert ranked(now, failures=(Failure("RolledBack", "rolled back"),))[0].hinders


@pytest.mark.parametrize("status", ["ROLLBACK", "IMPORT_ROLLBACK", "UPDATE_ROLLBACK"])
def test_a_rollback_under_way_without_a_known_reason_is_followed(status: str) -> None:
    state = stack("alarms", f"{status}_IN_PROGRESS")
    top = next(one for one in ranked(snapshot(stacks={"alarms": state})) if status in one.sentence)
    assert top.next == "to join it and follow it to its end: opsctl alarms up"


def test_a_stack_of_another_system_is_named_as_that() -> None:
    state = replace(stack("db", "UPDATE_COMPLETE"), foreign="`name: a-b`, environment default")
    cause = first(snapshot(stacks={"db": state}))
    assert (cause.id, cause.confidence) == ("not-ours", "certain")
    assert "belongs to another system: `name: a-b`" in cause.sentence
