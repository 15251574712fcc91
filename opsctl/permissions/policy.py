"""The least-privilege policy for somebody who operates one system. Pure.

It contains the calls that opsctl makes itself, and those that CloudFormation makes with the
caller's rights for this config's stacks. If `aws.cloudformation_role` names a role, that role needs
the latter.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

from opsctl.aws import iam
from opsctl.config.model import Config
from opsctl.permissions import calls
from opsctl.permissions.calls import AUDIENCES, Audience
from opsctl.permissions.scopes import Place, everything, scopes, secrets
from opsctl.snapshot.secrets import SSM
from opsctl.snapshot.snapshot import Names
from opsctl.stacks import definition, references, template
from opsctl.stacks.plan import MAXIMUM_BODY

# `cloudformation` is the role for CloudFormation's work.
For: TypeAlias = Literal["read", "deploy", "operator", "cloudformation"]
# IAM does not count white space: docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
LONGEST = 6144
_FILE = Path(__file__).parent / "actions.json"
# Types that a release changes.
_RELEASED = ("AWS::ECS::TaskDefinition", "AWS::ECS::Service")
# The services to which CloudFormation passes the stack's roles.
_PASSED_TO = (
    *("ecs-tasks.amazonaws.com", "ec2.amazonaws.com", "ecs.amazonaws.com"),
    *("autoscaling.amazonaws.com", "application-autoscaling.amazonaws.com"),
)
_KEYS_OF = ("ecr", "elasticache", "logs", "secretsmanager", "ssm", "sns")


@dataclass(frozen=True, slots=True)
class Grant:
    """One action on these resources. `condition` is an IAM condition as JSON, or ''."""

    action: str
    resources: tuple[str, ...] = ("*",)
    condition: str = ""

    def conditions(self) -> list[tuple[str, list[str]]]:
        """The condition's pairs of key and values, whatever the operator."""
        tests = json.loads(self.condition) if self.condition else {}
        return [pair for keys in tests.values() for pair in keys.items()]


def policy(config: Config, audience: For) -> dict[str, Any]:
    """Return the policy document. Actions on the same resources share a statement."""
    return {"Version": "2012-10-17", "Statement": list(_statements(grants(config, audience)))}


def grants(config: Config, audience: For) -> list[Grant]:
    """Return every action once per set of resources, in alphabetical order."""
    if audience == "cloudformation":
        return sorted(set(_of_cloudformation(config, _types(config))), key=_order)
    wanted = set(_own(config, audience))
    role = config.aws.cloudformation_role
    if audience != "read" and role:
        wanted.add(Grant("iam:PassRole", (role,), _passed_to("cloudformation.amazonaws.com")))
    elif audience != "read":
        types = _types(config) if audience == "operator" else _RELEASED
        wanted |= set(_of_cloudformation(config, types))
    return sorted(wanted, key=_order)


def _own(config: Config, audience: Audience) -> Iterator[Grant]:
    """Yield the calls that opsctl makes itself."""
    named = scopes(config)
    allowed = AUDIENCES[: AUDIENCES.index(audience) + 1]
    place, known = Place.of(config), config.secret_references.values()
    for call in data()["calls"]:
        action = iam.action(call)
        if not action or calls.audience(call) not in allowed:
            continue
        if action.startswith("s3:") and not _in_bucket(config):
            continue
        if action.startswith("secretsmanager:") and not named["secretsmanager:secret"]:
            continue
        if action.startswith("acm:") and not config.load_balancer.certificate:
            continue
        resources = everything(action, config) or _resources(action, named)
        if action == "iam:SimulatePrincipalPolicy":  # of the caller, whoever that is
            resources = tuple(place.everywhere("iam", f"{kind}/*") for kind in ("role", "user"))
        if action == "ssm:PutParameter" and audience == "operator":
            resources += tuple(secrets(place, known, SSM))
        yield _of_cluster(action, named) or Grant(action, resources)
    for action, least in calls.DOCKER.items():
        if least in allowed:
            yield Grant(action, _resources(action, named))
    if audience == "operator" and _in_bucket(config):
        # CloudFormation reads it with the caller's rights
        yield Grant("s3:GetObject", named["s3:object"])


def _of_cluster(action: str, named: Mapping[str, tuple[str, ...]]) -> Grant | None:
    """Return the grant for ecs:ListTasks, which needs a condition instead of a resource."""
    if action != "ecs:ListTasks":
        return None
    cluster = {"ArnEquals": {"ecs:cluster": list(named["ecs:cluster"])}}
    return Grant(action, condition=json.dumps(cluster))


def _of_cloudformation(config: Config, types: Iterable[str]) -> Iterator[Grant]:
    """Yield what CloudFormation does for these types of resources."""
    named = scopes(config)
    for name in types:
        for handler in data()["templates"][name].values():
            for action in handler:
                yield _granted(action, named)
    if config.db.password:
        yield from _reading(config, config.db.password)


def _granted(action: str, named: Mapping[str, tuple[str, ...]]) -> Grant:
    if action == "iam:PassRole":
        return Grant(action, named["iam:role"], _passed_to(*_PASSED_TO))
    if action == "iam:CreateServiceLinkedRole":
        linked = named["iam:role"][0].partition(":role/")[0] + ":role/aws-service-role/*"
        return Grant(action, (linked,))
    if action.startswith("kms:"):
        through = {"kms:ViaService": [f"{service}.*.amazonaws.com" for service in _KEYS_OF]}
        return Grant(action, named["kms:key"], json.dumps({"StringLike": through}))
    return Grant(action, _resources(action, named))


def _reading(config: Config, reference: str) -> Iterator[Grant]:
    """Yield what resolving a dynamic reference of a template needs."""
    for action, resources in references.statements([reference]).items():
        place = Place.of(config)
        arns = (
            one.replace("${AWS::Partition}", place.partition)
            .replace("${AWS::Region}", place.region)
            .replace("${AWS::AccountId}", place.account)
            for one in resources
        )
        yield Grant(action, tuple(arns))


def _resources(action: str, named: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return the ARNs to which the action can be limited; `*` if it cannot be."""
    service = action.partition(":")[0]
    types = data()["resources"].get(action, ())
    arns = [arn for one in types for arn in named.get(f"{service}:{one}", ())]
    return tuple(dict.fromkeys(arns)) or ("*",)


def _types(config: Config) -> list[str]:
    """Return the types of the resources in this config's stacks."""
    builders = (definition.db, definition.ecr, definition.ecs, definition.alarms)
    resources = [template.read(build(config).template)["Resources"] for build in builders]
    return sorted({one["Type"] for stack in resources for one in stack.values()})


def _in_bucket(config: Config) -> bool:
    """Return whether a template is too long for a call, and so needs the bucket."""
    # The longest one: alarms for each zone, of which subnets have at most one each, and without
    # actions, as they are before the first release.
    region = config.aws.region or "us-gov-west-1"
    zones = [f"{region}{number}" for number in range(len(Names.of(config).subnets))]
    stacks = (
        *(build(config) for build in (definition.db, definition.ecr, definition.ecs)),
        definition.alarms(config, zones, released=False),
    )
    return any(len(stack.template.encode()) > MAXIMUM_BODY for stack in stacks)


def _passed_to(*services: str) -> str:
    return json.dumps({"StringEquals": {"iam:PassedToService": list(services)}})


def _order(grant: Grant) -> tuple[object, ...]:
    return grant.action, grant.resources, grant.condition


def _statements(granted: Iterable[Grant]) -> Iterator[dict[str, Any]]:
    """Yield one statement per resources and condition, without actions that a pattern covers."""
    together: dict[tuple[tuple[str, ...], str], list[str]] = {}
    for one in granted:
        together.setdefault((one.resources, one.condition), []).append(one.action)
    for (resources, condition), names in sorted(together.items()):
        patterns = [name for name in names if "*" in name]
        kept = [
            name
            for name in names
            if not any(name != one and fnmatchcase(name, one) for one in patterns)
        ]
        statement: dict[str, Any] = {"Effect": "Allow", "Action": kept, "Resource": list(resources)}
        yield {**statement, **({"Condition": json.loads(condition)} if condition else {})}


def size(document: Mapping[str, Any]) -> int:
    """Return the number of characters that IAM counts."""
    return len(json.dumps(document, separators=(",", ":")))


def parts(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the document whole, or split into several that IAM accepts as managed policies."""
    made: list[dict[str, Any]] = []
    for statement in document["Statement"]:
        for piece in _pieces(statement):
            last = made[-1]["Statement"] if made else []
            grown = {"Version": document["Version"], "Statement": [*last, piece]}
            if made and size(grown) <= LONGEST:
                made[-1] = grown
            else:
                made.append({"Version": document["Version"], "Statement": [piece]})
    return made


def _pieces(statement: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield halves of a statement that is too long by itself."""
    if size({"Version": "2012-10-17", "Statement": [statement]}) <= LONGEST:
        yield statement
        return
    actions = statement["Action"]
    for half in (actions[: len(actions) // 2], actions[len(actions) // 2 :]):
        yield from _pieces({**statement, "Action": half})


@cache
def data() -> Mapping[str, Any]:
    read: dict[str, Any] = json.loads(_FILE.read_text(encoding="utf-8"))
    return read


def actions(config: Config, audience: For) -> list[str]:
    """Return every action of the policy, for IAM's simulator."""
    return sorted({one.action for one in grants(config, audience)})
