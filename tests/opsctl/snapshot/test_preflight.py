"""The readers behind the doctor, against AWS's own models."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace
from typing import Any

import pytest

from opsctl.snapshot import certificates, identity, quotas, rights
from opsctl.snapshot.identity import Identity
from opsctl.snapshot.quotas import Quota
from opsctl.snapshot.rights import Attempt
from tests.opsctl.snapshot.conftest import Stub


@pytest.mark.parametrize(("minutes", "expected"), [(0, 0), (10, 10), (-10, -10)])
def test_the_clock_is_compared_with_the_date_of_the_answer(
    stub: Stub, minutes: int, expected: int
) -> None:
    sts, stubber = stub("sts")
    date = format_datetime(datetime.now(UTC) + timedelta(minutes=minutes), usegmt=True)
    answer = {"Account": "1", "Arn": "arn:aws:iam::1:user/x", "UserId": "x"}
    headers = {"HTTPHeaders": {"date": date}, "HTTPStatusCode": 200}
    stubber.add_response("get_caller_identity", {**answer, "ResponseMetadata": headers})
    clients: Any = SimpleNamespace(sts=sts, region="r", credentials_end=lambda: None)
    slow = identity.read(clients).slow
    assert round(slow.total_seconds() / 60) == expected


@pytest.mark.parametrize("date", ["", "nonsense", "Thu, 99 Nov 2026"])
def test_an_invalid_date_gives_no_difference(date: str) -> None:
    assert identity._behind(date) == timedelta()


def test_only_the_denied_actions_are_returned(stub: Stub) -> None:
    iam, stubber = stub("iam")
    results = [
        {"EvalActionName": "ecs:A", "EvalDecision": "allowed"},
        {"EvalActionName": "ecs:B", "EvalDecision": "implicitDeny"},
        {"EvalActionName": "ecs:C", "EvalDecision": "explicitDeny"},
    ]
    expected = {
        "PolicySourceArn": "arn:aws:iam::1:role/x",
        "ActionNames": ["ecs:A", "ecs:B", "ecs:C"],
        "ResourceArns": ["*"],
        "ContextEntries": [
            {"ContextKeyName": "ecs:cluster", "ContextKeyValues": ["v"], "ContextKeyType": "string"}
        ],
    }
    stubber.add_response("simulate_principal_policy", {"EvaluationResults": results}, expected)
    attempt = Attempt(("ecs:A", "ecs:B", "ecs:C"), context=(("ecs:cluster", "v"),))
    assert rights.refused(iam, "arn:aws:iam::1:role/x", [attempt]) == {
        ("ecs:B", ("*",)),
        ("ecs:C", ("*",)),
    }


SESSION = Identity("1", "arn:aws:sts::1:assumed-role/AWSReservedSSO_ops/ann", "r")


def test_a_role_is_simulated_with_the_path_that_its_session_leaves_out(stub: Stub) -> None:
    iam, stubber = stub("iam")
    arn = "arn:aws:iam::1:role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_ops"
    role = {
        "Path": "/aws-reserved/sso.amazonaws.com/eu-west-1/",
        "RoleName": "AWSReservedSSO_ops",
        "RoleId": "AROA0123456789ABCDEF",
        "Arn": arn,
        "CreateDate": datetime.now(UTC),
    }
    stubber.add_response("get_role", {"Role": role}, {"RoleName": "AWSReservedSSO_ops"})
    assert rights.principal(iam, SESSION) == arn


def test_a_caller_that_may_not_look_at_its_role_is_simulated_without_a_path(stub: Stub) -> None:
    iam, stubber = stub("iam")
    stubber.add_client_error("get_role", "AccessDenied")
    assert rights.principal(iam, SESSION) == "arn:aws:iam::1:role/AWSReservedSSO_ops"


def test_a_quota_that_nobody_changed_is_awss_default(stub: Stub) -> None:
    client, stubber = stub("service-quotas")
    stubber.add_client_error("get_service_quota", "NoSuchResourceException")
    stubber.add_response("get_aws_default_service_quota", {"Quota": {"Value": 50.0}})
    clients: Any = SimpleNamespace(service_quotas=client)
    assert quotas._limit(clients, "ec2", "L-1216C47A") == 50


def test_only_on_demand_instances_of_the_standard_families_count(stub: Stub) -> None:
    ec2, stubber = stub("ec2")
    instances = [
        {"InstanceType": "t3.xlarge"}, {"InstanceType": "m5.large"},
        {"InstanceType": "t3.xlarge", "InstanceLifecycle": "spot"}, {"InstanceType": "p5.48xlarge"},
    ]  # fmt: skip
    stubber.add_response("describe_instances", {"Reservations": [{"Instances": instances}]})
    clients: Any = SimpleNamespace(ec2=ec2)
    assert quotas._vcpus(clients) == 6
    assert Quota("vCPUs", 5, 6).free == 0


def test_a_certificate_that_is_not_there_has_no_status(stub: Stub) -> None:
    acm, stubber = stub("acm")
    stubber.add_client_error("describe_certificate", "ResourceNotFoundException")
    assert certificates.read(acm, "arn:aws:acm:r:1:certificate/1").status == ""
