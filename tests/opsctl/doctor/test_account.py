"""What the doctor says of the account."""

from dataclasses import replace
from datetime import timedelta

import pytest

from opsctl.config.model import Config
from opsctl.doctor import account
from opsctl.doctor.finding import Finding
from opsctl.permissions import policy
from opsctl.permissions.calls import Audience
from opsctl.snapshot.identity import Identity
from opsctl.snapshot.preflight import Preflight
from opsctl.snapshot.quotas import Quota
from opsctl.snapshot.rights import Refusal
from tests.opsctl.snapshots import START, config, stack, stacks

ACCOUNT = "123456789012"
CALLER = Identity(ACCOUNT, f"arn:aws:sts::{ACCOUNT}:assumed-role/Dev/me", "eu-west-1")
CONFIG = config(f"aws.account='{ACCOUNT}'")


def levels(findings: list[Finding]) -> list[str]:
    return [one.level for one in findings]


def test_the_right_caller_is_fine() -> None:
    [one] = account.identity(CONFIG, CALLER, START)
    assert (one.level, "as arn:aws:sts" in one.text) == ("ok", True)


def test_in_the_sandbox_the_account_and_a_root_caller_are_not_warned_about() -> None:
    root = replace(CALLER, arn=f"arn:aws:iam::{ACCOUNT}:root", emulated=True)
    assert levels(list(account.identity(config(), root, START))) == ["ok"]


@pytest.mark.parametrize(
    ("caller", "level", "said"),
    [
        (replace(CALLER, account="9"), "blocking", "belong to account 9"),
        (replace(CALLER, arn=f"arn:aws:iam::{ACCOUNT}:root"), "warning", "root user"),
        (replace(CALLER, slow=timedelta(minutes=3)), "warning", "clock is 3.0 minutes slow"),
        (replace(CALLER, slow=-timedelta(minutes=9)), "blocking", "9.0 minutes fast"),
        (replace(CALLER, expires=START + timedelta(minutes=7)), "warning", "end in 7 minutes"),
    ],
)
def test_what_is_wrong_with_a_caller(caller: Identity, level: str, said: str) -> None:
    found = list(account.identity(CONFIG, caller, START))
    assert [one.level for one in found if said in one.text] == [level]
    assert all(one.fix for one in found if one.level != "ok")


def test_an_account_that_is_not_set_is_a_warning_with_the_line_to_write() -> None:
    _, warning = account.identity(config(), CALLER, START)
    assert warning.fix.endswith(f'aws: {{account: "{ACCOUNT}"}}')


def test_a_role_is_asked_about_in_the_place_of_its_session() -> None:
    assert CALLER.principal == f"arn:aws:iam::{ACCOUNT}:role/Dev"
    user = replace(CALLER, arn=f"arn:aws:iam::{ACCOUNT}:user/me")
    assert user.principal == user.arn


def test_all_that_the_policy_grants_is_asked_for_in_the_callers_account() -> None:
    attempts = list(account.attempts(config(), CALLER))
    actions = {action for one in attempts for action in one.actions}
    assert {"cloudformation:ExecuteChangeSet", "iam:PassRole", "ec2:RunInstances"} <= actions
    assert not [action for action in actions if "*" in action]
    arns = {arn for one in attempts for arn in one.resources}
    assert f"arn:aws:cloudformation:eu-west-1:{ACCOUNT}:stack/web-db/*" in arns
    passing = [one for one in attempts if "iam:PassRole" in one.actions]
    assert passing[0].context == (("iam:PassedToService", "ecs-tasks.amazonaws.com"),)


def refusals(audience: Audience, actions: set[str], config: Config = CONFIG) -> frozenset[Refusal]:
    """What IAM refuses to somebody who lacks these actions of the policy."""
    grants = policy.grants(account.in_place(config, CALLER), audience)
    return frozenset((one.action, one.resources) for one in grants if one.action in actions)


READY = stacks(stack("ecs", "UPDATE_COMPLETE"))


@pytest.mark.parametrize(
    ("refused", "now", "level", "fix"),
    [
        (set(), READY, "ok", ""),
        ({"ecs:RegisterTaskDefinition"}, READY, "blocking", "--for deploy"),
        ({"ec2:RunInstances"}, READY, "warning", "--for operator"),
        ({"ec2:RunInstances"}, stacks(), "blocking", "--for operator"),
    ],
)
def test_what_is_lacking_stops_only_what_comes_next(
    refused: set[str], now: object, level: str, fix: str
) -> None:
    facts = Preflight(CALLER, refused=refusals("operator", refused))
    [one] = account.rights(CONFIG, facts, now)  # type: ignore[arg-type]  # a Snapshot
    assert one.level == level and one.fix.endswith(fix)
    assert all(action in one.text for action in refused)


def test_who_has_the_policy_of_a_pipeline_may_release_whatever_else_an_operator_may() -> None:
    """An operator also writes secrets, with an action that both have."""
    secret = config(f"aws.account='{ACCOUNT}'", "secrets.values.token='ssm:/web/token'")
    every = set(policy.actions(secret, "operator"))
    more = refusals("operator", every, secret) - refusals("deploy", every, secret)
    assert "ssm:PutParameter" in {action for action, _ in more}
    [one] = account.rights(secret, Preflight(CALLER, refused=more), READY)
    assert one.level == "warning" and "may release" in one.text


def test_what_iam_does_not_say_is_unknown_and_root_is_not_asked_about() -> None:
    facts = Preflight(CALLER, unread={"refused": "AWS refused SimulatePrincipalPolicy"})
    [one] = account.rights(CONFIG, facts, READY)
    fix = "allow it iam:SimulatePrincipalPolicy, and iam:GetRole of its role"
    assert (one.level, one.fix) == ("unknown", fix)
    root = replace(CALLER, arn=f"arn:aws:iam::{ACCOUNT}:root")
    assert list(account.rights(CONFIG, Preflight(root), READY)) == []


def test_a_quota_is_compared_with_what_is_still_to_be_made() -> None:
    quotas = (
        Quota("vCPUs", 10, 4), Quota("network load balancers", 50, 50),
        Quota("security groups", 100, 97), Quota("cache nodes", 300, 1),
    )  # fmt: skip
    facts = Preflight(CALLER, quotas=quotas)
    new = list(account.quotas(CONFIG, facts, stacks()))
    assert levels(new) == ["blocking", "blocking", "ok", "ok"]
    assert new[0].text == "vCPUs: 4 of 10 are used, and 8 more are needed"
    assert "ask for 12 or more" in new[0].fix
    both = stacks(stack("ecs", "UPDATE_COMPLETE"), stack("db", "UPDATE_COMPLETE"))
    assert set(levels(list(account.quotas(CONFIG, facts, both)))) == {"ok"}


def test_every_shard_has_its_nodes() -> None:
    sharded = config("db.kind=replication_group", "db.shards=3", "db.nodes=2")
    facts = Preflight(CALLER, quotas=(Quota("cache nodes", 6, 1),))
    [one] = account.quotas(sharded, facts, stacks())
    assert one.text == "cache nodes: 1 of 6 are used, and 6 more are needed"
    assert one.level == "blocking"


def test_quotas_that_are_not_known_stop_nothing() -> None:
    [one] = account.quotas(CONFIG, Preflight(CALLER, unread={"quotas": "no"}), stacks())
    assert one.level == "unknown"
