"""What the doctor says of stacks, names, secrets, image and certificate."""

from dataclasses import replace
from datetime import timedelta

import pytest

from opsctl.doctor import system
from opsctl.snapshot.certificates import Certificate
from opsctl.snapshot.preflight import Preflight
from opsctl.snapshot.secrets import Secret
from opsctl.snapshot.snapshot import Kind, Look
from opsctl.snapshot.taken import Named
from tests.opsctl.snapshots import START, config, stack, stacks

ARN = "arn:aws:acm:eu-west-1:123456789012:certificate/1"


@pytest.mark.parametrize(
    ("kind", "status", "tags", "level", "fix"),
    [
        ("db", "CREATE_COMPLETE", {"opsctl:name": "web"}, "ok", ""),
        ("db", "ROLLBACK_COMPLETE", {"opsctl:name": "web"}, "warning", "opsctl db up"),
        ("ecr", "UPDATE_FAILED", {"opsctl:name": "web"}, "warning", "opsctl ecs up"),
        ("ecs", "UPDATE_IN_PROGRESS", {"opsctl:name": "web"}, "warning", "opsctl ecs up"),
        (
            "ecs",
            "UPDATE_COMPLETE",
            {},
            "blocking",
            "choose another `name` in opsctl.yaml; if somebody removed its tags: opsctl why",
        ),
    ],
)
def test_a_stack_is_fine_or_has_its_next_command(
    kind: Kind, status: str, tags: dict[str, str], level: str, fix: str
) -> None:
    [one] = system.stacks(stacks(stack(kind, status, tags=tags)))
    assert (one.level, one.fix) == (level, fix)


def test_the_names_of_the_stacks_that_are_not_there_are_looked_for() -> None:
    here = stacks(stack("ecs", "CREATE_COMPLETE"), stack("alarms", "CREATE_COMPLETE"))
    wanted = system.wanted(config(), here)
    assert {one.type for one in wanted} == {
        "AWS::EC2::SecurityGroup", "AWS::ElastiCache::SubnetGroup",
        "AWS::ElastiCache::CacheCluster", "AWS::ECR::Repository",
    }  # fmt: skip
    cluster, repository = (
        Named("CacheCluster", "AWS::ElastiCache::CacheCluster", "web-redis"),
        Named("Repository", "AWS::ECR::Repository", "web"),
    )
    first, second = system.taken([cluster, repository])
    assert first.fix == "set `db.name` to another name, or remove it"
    assert second.fix == "opsctl ecs up --import"


def test_secrets_are_fine_missing_or_unknown() -> None:
    chosen = config("secrets.values={a: 'ssm:/a', b: 'ssm:/b', c: 'ssm:/c'}")
    secrets = (Secret("ssm:/a", "there", "SecureString"), Secret("ssm:/b", "missing"))
    now = replace(stacks(), secrets=secrets)
    found = list(system.secrets(chosen, now))
    assert [one.level for one in found] == ["ok", "blocking", "unknown"]
    assert found[1].fix == "opsctl secrets set b"


def test_a_newer_image_is_a_warning() -> None:
    state = stack("ecs", "UPDATE_COMPLETE", parameters={"AmiId": "ami-1"})
    now = replace(stacks(state), newest_image="ami-2")
    first = system.machine_image(config(), now)
    assert first == Named("AmiId", "AWS::EC2::Image", "ami-1", "x86_64")
    [one] = system.image(config(), now, [first])
    assert (one.level, one.fix) == ("warning", "opsctl ecs up --new-ami")
    [same] = system.image(config(), replace(now, newest_image="ami-1"), [first])
    assert same.level == "ok"
    assert list(system.image(config(), stacks(), [])) == []


def test_what_why_says_of_the_live_system_is_said_here_too() -> None:
    # `why` and errors lead here, and it said that nothing would stop a release.
    made = stack(
        "ecs", "UPDATE_COMPLETE", outputs={"ServiceArn": "arn:aws:ecs:x:1:service/web/web"}
    )
    gone = replace(stacks(made), look=Look(frozenset({"stacks", "service"})))
    [one] = system.causes(gone)
    assert (one.level, one.fix) == ("blocking", "to make it again: opsctl ecs up --revert-drift")
    assert "somebody deleted it" in one.text
    assert list(system.causes(stacks(stack("ecs", "UPDATE_ROLLBACK_FAILED")))) == []


def test_an_image_that_is_not_there_blocks_the_next_instance() -> None:
    state = stack("ecs", "UPDATE_COMPLETE", parameters={"AmiId": "ami-1"})
    [gone] = system.image(config(), replace(stacks(state), newest_image="ami-2"), [])
    assert (gone.level, gone.fix) == ("blocking", "opsctl ecs up --new-ami")
    own = config("compute.ami=ami-00000009")
    [wrong] = system.image(own, stacks(), [])
    assert (wrong.level, wrong.fix) == ("blocking", "correct `compute.ami`")


@pytest.mark.parametrize(
    ("certificate", "level"),
    [
        (Certificate(ARN, "ISSUED", "x", START + timedelta(days=90)), "ok"),
        (Certificate(ARN, "ISSUED", "x", START + timedelta(days=9)), "warning"),
        (Certificate(ARN, "PENDING_VALIDATION", "x"), "blocking"),
        (Certificate(ARN), "blocking"),
    ],
)
def test_a_certificate_must_be_issued(certificate: Certificate, level: str) -> None:
    chosen = config(f"load_balancer.certificate={ARN}")
    [one] = system.certificate(chosen, Preflight(certificate=certificate), START)
    assert one.level == level and bool(one.fix) == (level != "ok")
    assert list(system.certificate(config(), Preflight(), START)) == []


def test_a_name_that_this_caller_may_not_look_for_stops_nothing() -> None:
    [one] = system.taken([Named("Repository", "AWS::ECR::Repository", "web", certain=False)])
    assert (one.level, "web" in one.text) == ("unknown", True)
