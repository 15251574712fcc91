"""Check the account: the caller, its rights, the quotas. Pure."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from opsctl.config.model import Config
from opsctl.doctor.finding import Finding
from opsctl.permissions import policy
from opsctl.permissions.calls import Audience
from opsctl.permissions.policy import Grant
from opsctl.snapshot.identity import Identity
from opsctl.snapshot.preflight import Preflight
from opsctl.snapshot.quotas import Quota, QuotaName, vcpus
from opsctl.snapshot.rights import Attempt
from opsctl.snapshot.snapshot import Snapshot

# AWS accepts a signature that is five minutes old, in most services fifteen.
_CLOCK = timedelta(minutes=1)
_LONGEST_ROLL = timedelta(minutes=30)
_SHOWN = 6  # actions in one line


def identity(config: Config, caller: Identity, now: datetime) -> Iterator[Finding]:
    yield _asked_for(config, caller)
    if caller.emulated:
        return  # every caller of the sandbox is its root user, which is fine there
    yield from _unguarded(config, caller)
    yield from _clock(caller.slow)
    yield from _expiry(caller, now)


def _asked_for(config: Config, caller: Identity) -> Finding:
    if config.aws.account and config.aws.account != caller.account:
        text = f"these credentials belong to account {caller.account}, and `aws.account` is "
        fix = "choose the right credentials, for instance with AWS_PROFILE"
        return Finding("account", "blocking", f"{text}{config.aws.account}", fix)
    where = f"account {caller.account}, {caller.region}, as {caller.arn}"
    return Finding("account", "ok", where)


def _unguarded(config: Config, caller: Identity) -> Iterator[Finding]:
    if not config.aws.account:
        yield Finding(
            "account",
            "warning",
            "`aws.account` is not set, so a command may change whichever account the shell has",
            f'write in opsctl.yaml: aws: {{account: "{caller.account}"}}',
        )
    if caller.is_root:
        yield Finding(
            "account",
            "warning",
            "this is the root user, who may do everything and cannot be narrowed",
            "use a role or a user, with the policy that this prints: opsctl iam-policy",
        )


def _clock(slow: timedelta) -> Iterator[Finding]:
    if abs(slow) > _CLOCK:
        way = "slow" if slow > timedelta() else "fast"
        yield Finding(
            "account",
            "warning" if abs(slow) < timedelta(minutes=5) else "blocking",
            f"this machine's clock is {round(abs(slow).total_seconds() / 60, 1)} minutes "
            f"{way}, and AWS refuses signatures that are off by five",
            "sudo timedatectl set-ntp true",
        )


def _expiry(caller: Identity, now: datetime) -> Iterator[Finding]:
    if caller.expires and caller.expires - now < _LONGEST_ROLL:
        minutes = max(round((caller.expires - now).total_seconds() / 60), 0)
        yield Finding(
            "account",
            "warning",
            f"the credentials end in {minutes} minutes, and a release may take longer",
            "renew them first, for instance: aws sso login",
        )


def attempts(config: Config, caller: Identity) -> Iterator[Attempt]:
    """Return what the policies of an operator and of a pipeline grant."""
    own = in_place(config, caller)
    together: dict[tuple[tuple[str, ...], tuple[tuple[str, str], ...]], list[str]] = {}
    # The same action may be granted on more resources to an operator.
    for grant in dict.fromkeys((*policy.grants(own, "operator"), *policy.grants(own, "deploy"))):
        if "*" not in grant.action:  # a pattern cannot be simulated
            together.setdefault((grant.resources, _context(grant)), []).append(grant.action)
    for (resources, context), actions in together.items():
        yield Attempt(tuple(actions), resources, context)


def in_place(config: Config, caller: Identity) -> Config:
    """Return the config for the caller's account and Region, as its policies name them."""
    place = {"account": caller.account, "region": caller.region}
    return config.model_copy(update={"aws": config.aws.model_copy(update=place)})


def rights(config: Config, facts: Preflight, now: Snapshot) -> Iterator[Finding]:
    if facts.identity is None or facts.identity.is_root:
        return
    if reason := facts.unread.get("refused"):
        text = f"whether this caller may do what is needed cannot be known ({reason})"
        fix = "allow it iam:SimulatePrincipalPolicy, and iam:GetRole of its role"
        yield Finding("permissions", "unknown", text, fix)
        return
    # Without a service there is nothing to release, and the stacks must be built first.
    there = now.stack("ecs") is not None or now.unread_part("stacks") is not None
    needed: Audience = "deploy" if there else "operator"
    grants = policy.grants(in_place(config, facts.identity), needed)
    refused = sorted({one.action for one in grants if (one.action, one.resources) in facts.refused})
    fix = "opsctl iam-policy --for deploy"
    if needed == "operator":
        fix = "opsctl iam-policy --for operator"
    if refused:
        yield Finding("permissions", "blocking", f"this caller lacks {_named(refused)}", fix)
    elif facts.refused:
        others = sorted({action for action, _ in facts.refused})
        text = f"this caller may release, but not change the stacks: it lacks {_named(others)}"
        yield Finding("permissions", "warning", text, "opsctl iam-policy --for operator")
    else:
        yield Finding("permissions", "ok", "this caller may do all that is needed")


def quotas(config: Config, facts: Preflight, now: Snapshot) -> Iterator[Finding]:
    if reason := facts.unread.get("quotas"):
        yield Finding("quotas", "unknown", f"the quotas are not known ({reason})")
        return
    needs = _needs(config, now)
    for quota in facts.quotas:
        need = needs.get(quota.name, 0)
        text = f"{quota.name}: {quota.used} of {quota.limit} are used, and {need} more are needed"
        if need <= quota.free:
            yield Finding("quotas", "ok", text)
        else:
            yield Finding("quotas", "blocking", text, _more(quota, need))


def _needs(config: Config, now: Snapshot) -> dict[QuotaName, int]:
    """Return what the stacks that do not exist yet will use."""
    needs: dict[QuotaName, int] = {}
    if now.stack("ecs") is None:
        needs["vCPUs"] = vcpus(config.compute.instance_type) * config.compute.desired
        needs["network load balancers"] = 1
        needs["security groups"] = 2
    if now.stack("db") is None:
        needs["security groups"] = needs.get("security groups", 0) + 1
        needs["cache nodes"] = config.db.total_nodes
    return needs


def _more(quota: Quota, need: int) -> str:
    return (
        f"ask for {quota.used + need} or more in the Service Quotas console, or remove what is "
        "not used"
    )


def _context(grant: Grant) -> tuple[tuple[str, str], ...]:
    """Return the first value of each condition key, which the real call would have."""
    return tuple((key, values[0]) for key, values in grant.conditions())


def _named(actions: Iterable[str]) -> str:
    listed = list(actions)
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + more
