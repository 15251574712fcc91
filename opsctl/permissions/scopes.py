"""The ARNs of one system's resources, by IAM's names of their types (`ecs:service`). Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from opsctl.config.model import Config
from opsctl.config.regions import partition
from opsctl.snapshot.quotas import CODES
from opsctl.snapshot.secrets import SECRETS_MANAGER, SSM, without_key


@dataclass(frozen=True, slots=True)
class Place:
    """Partition, Region and account of ARNs; `*` for what the config does not name."""

    partition: str
    region: str
    account: str

    @classmethod
    def of(cls, config: Config) -> "Place":
        region = config.aws.region or "*"
        return cls(partition(region) or "aws", region, config.aws.account or "*")

    def arn(self, service: str, tail: str) -> str:
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{tail}"

    def everywhere(self, service: str, tail: str, *, account: bool = True) -> str:
        """Return an ARN of a service without Regions."""
        return f"arn:{self.partition}:{service}::{self.account if account else ''}:{tail}"


def scopes(config: Config) -> Mapping[str, tuple[str, ...]]:
    """Return `service:resource` -> ARNs.

    Types that are missing here have ids that AWS generates.
    """
    place, system = Place.of(config), config.system
    tails = {
        **_ecs(config),
        "autoscaling:autoscalinggroup": [f"autoScalingGroup:*:autoScalingGroupName/{system}-ecs-*"],
        "autoscaling:launchconfiguration": [
            f"launchConfiguration:*:launchConfigurationName/{system}-ecs-*"
        ],
        "application-autoscaling:scalabletarget": ["scalable-target/*"],
        "cloudformation:stack": [f"stack/{system}-{kind}/*" for kind in _KINDS],
        "cloudformation:changeset": ["changeSet/opsctl-*"],
        "cloudwatch:alarm": [f"alarm:{system}-*"],
        "cloudwatch:alarm-mute-rule": [f"alarm-mute-rule:{system}-roll-*"],
        "ecr:repository": [f"repository/{config.image.repository}"],
        **_load_balancer(config),
        **_cache(config),
        # Some calls name the group, others the streams in it.
        "logs:log-group": [
            f"log-group:{name}{end}" for name in config.logs.groups.values() for end in ("", ":*")
        ],
        "logs:log-stream": [f"log-group:{name}:*" for name in config.logs.groups.values()],
        "servicequotas:quota": [f"{service}/{code}" for service, code in CODES.values()],
        "sns:topic": [f"{system}-alarms"],
    }
    arns = {
        key: tuple(place.arn(key.partition(":")[0], one) for one in ones)
        for key, ones in tails.items()
    }
    return {**arns, **_elsewhere(config, place)}


# Calls that name none of these, or another resource: IAM requires the right to all. Sources:
# amazon-cloudwatch-auto-alarms#1 (a prefix of names is not a name), va.gov-team#44525.
_ALL: Mapping[str, str] = {
    "cloudwatch:DescribeAlarms": "alarm:*",
    # A mute rule with any name may mute an alarm of the system.
    "cloudwatch:GetAlarmMuteRule": "alarm-mute-rule:*",
    "cloudwatch:ListAlarmMuteRules": "alarm-mute-rule:*",
    "elasticache:DescribeCacheClusters": "cluster:*",
}


def everything(action: str, config: Config) -> tuple[str, ...]:
    """Return the ARN of all resources of a type, for actions whose calls name no single one."""
    tail = _ALL.get(action)
    return (Place.of(config).arn(action.partition(":")[0], tail),) if tail else ()


_KINDS = ("db", "ecr", "ecs", "alarms")


def _ecs(config: Config) -> dict[str, list[str]]:
    cluster, service = config.ecs.cluster_name, config.ecs.service_name
    return {
        "ecs:cluster": [f"cluster/{cluster}"],
        "ecs:service": [f"service/{cluster}/{service}"],
        "ecs:service-deployment": [f"service-deployment/{cluster}/{service}/*"],
        "ecs:service-revision": [f"service-revision/{cluster}/{service}/*"],
        "ecs:task": [f"task/{cluster}/*"],
        "ecs:container-instance": [f"container-instance/{cluster}/*"],
        "ecs:task-definition": [f"task-definition/{config.ecs.task_definition_name}:*"],
        "ecs:capacity-provider": [f"capacity-provider/{config.system}-ecs-*"],
    }


def _load_balancer(config: Config) -> dict[str, list[str]]:
    name, group = config.load_balancer.name, config.load_balancer.target_group_name
    return {
        "elasticloadbalancing:loadbalancer": [f"loadbalancer/net/{name}/*"],
        "elasticloadbalancing:loadbalancer/net": [f"loadbalancer/net/{name}/*"],
        "elasticloadbalancing:listener/net": [f"listener/net/{name}/*"],
        "elasticloadbalancing:targetgroup": [f"targetgroup/{group}/*"],
    }


def _cache(config: Config) -> dict[str, list[str]]:
    name = config.db.name
    return {
        # `NAME-001` are the nodes of a replication group.
        "elasticache:cluster": [f"cluster:{name}*"],
        "elasticache:replicationgroup": [f"replicationgroup:{name}"],
        "elasticache:subnetgroup": [f"subnetgroup:{config.db.subnet_group_name}"],
        "elasticache:parametergroup": ["parametergroup:*"],
        "elasticache:securitygroup": ["securitygroup:*"],
        # Callers name snapshots freely; the cluster limits what can be in them.
        "elasticache:snapshot": ["snapshot:*"],
        "elasticache:user": [f"user:{name}-*"],
        "elasticache:usergroup": [f"usergroup:{name}-users"],
    }


def _elsewhere(config: Config, place: Place) -> dict[str, tuple[str, ...]]:
    """Return ARNs without a Region or an account, or with their own names."""
    system = config.system
    bucket = config.aws.bucket or f"opsctl-{place.account}-{place.region}-an"
    image = config.compute.image.removeprefix(SSM)
    public = f"arn:{place.partition}:ssm:{place.region}::parameter{image}"
    roles = [f"role/{system}-ecs-*"]
    if config.ecs.service_role.create:
        roles.append(f"role/{config.ecs.service_role.name}")
    profile = f"instance-profile/{config.compute.instance_profile_name}"
    certificate = config.load_balancer.certificate
    return {
        "acm:certificate": (certificate,) if certificate else (),
        "cloudwatch:dashboard": (place.everywhere("cloudwatch", f"dashboard/{system}"),),
        "iam:role": tuple(place.everywhere("iam", one) for one in roles),
        "iam:instance-profile": (place.everywhere("iam", profile),),
        "kms:key": (place.arn("kms", "key/*"),),
        "s3:bucket": (f"arn:{place.partition}:s3:::{bucket}",),
        "s3:object": (f"arn:{place.partition}:s3:::{bucket}/opsctl/*",),
        "ssm:parameter": (
            place.arn("ssm", f"parameter/opsctl/{system}/*"),
            *((public,) if config.compute.image.startswith(SSM) else ()),
        ),
        "secretsmanager:secret": tuple(
            secrets(place, config.secret_references.values(), SECRETS_MANAGER)
        ),
    }


def secrets(place: Place, references: Iterable[str], store: str) -> list[str]:
    """Return the ARNs of the secrets in one store."""
    names = {without_key(one).removeprefix(store) for one in references if one.startswith(store)}
    if store == SSM:
        return sorted(place.arn("ssm", f"parameter{name}") for name in names)
    # Secrets Manager appends six characters to every name.
    return sorted(
        name if name.startswith("arn:") else place.arn("secretsmanager", f"secret:{name}-??????")
        for name in names
    )
