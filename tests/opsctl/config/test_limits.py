import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsctl.config import document, instances, limits, load
from opsctl.config.model import Compute, Config, Ecs, Network
from opsctl.errors import ConfigError

SHORT = "name: caddy\nnetwork: {vpc: vpc-00000001, subnets: [subnet-0000000a, subnet-0000000b]}\n"
USERS = ("db.kind=replication_group", "db.password=secretsmanager:x")
GROUP = ("db.kind=replication_group",)
FIXED = ("ecs.host_ports=fixed", "ecs.desired_count=2", "ecs.minimum_healthy_percent=50")
ECS = "/aws/service/ecs/optimized-ami"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:x"


@pytest.mark.parametrize(
    ("sets", "sentence"),
    [
        (["db.node_type=t3.micro"], "such as cache.t3.micro"),
        (["db.nodes=2"], "exactly 1 node; set `db.kind: replication_group`"),
        (["db.engine=valkey"], "cannot run valkey"),
        (["db.password=ssm:/x"], "a single cluster has no password"),
        (
            ["db.kind=replication_group", "db.password=ssm:/x", "db.encryption_in_transit=false"],
            "a password needs encryption in transit",
        ),
        (["db.kind=replication_group", "db.user=app"], "a user needs `db.password`"),
        (["load_balancer.container_port=81"], "allowed: one of `ecs.ports` (80, 8082)"),
        (["load_balancer.health_check.port=80"], "take traffic-port"),
        (["ecs.host_ports=fixed"], "need it 4 times; take dynamic"),
        (["db.parameter_group=default.valkey8"], "is not for redis 7.1, `default.redis7` is"),
        (["db.parameter_group=default.redis7.cluster.on"], "needs cluster mode; set `db.shards`"),
        (
            ["db.kind=replication_group", "db.shards=2", "db.parameter_group=default.redis7"],
            "2 shards need `default.redis7.cluster.on`",
        ),
        (
            ["compute.ingress=[{port: 22, cidrs: [10.0.0.0/8, 10.0.0.0/8]}]"],
            "port 22 is opened to 10.0.0.0/8 twice",
        ),
        (["aws.region=mars-1"], "allowed: a Region such as us-east-1"),
        (["aws.region=eu-wset-1"], "found `eu-wset-1`, allowed: a Region such as eu-west-1"),
        (["network.vpc=x"], "found `x`, allowed: vpc- and 8 or 17 hexadecimal digits"),
        (["network.vpc=subnet-00000001"], "network.vpc"),
        (["network.subnets=[a, b]"], "network.subnets"),
        (["compute.subnets=[]"], "at least 1 entry"),
        (["db.node_type=cache.t4g.mirco"], "such as cache.t4g.micro"),
        (["db.node_type=cache.z9.large"], "found `cache.z9.large`"),
        (["db.engine_version=':'"], "found `:`"),
        (["db.engine_version=7.1.x"], "found `7.1.x`"),
        (["db.availability_zone=us-east-1"], "db.availability_zone"),
        (["compute.instance_type=t3.xlrage"], "an instance type such as t3.xlarge"),
        (["compute.instance_type=t3.8xlarge"], "an instance type such as t3"),
        (["compute.instance_type=z9.lrage"], "an instance type such as"),
        (["compute.instance_type=t5.large"], "found `t5.large`, allowed: an instance type such as"),
        (["compute.instance_type=x2gd.9xlarge"], "an instance type such as x2gd."),
        (["compute.ami=ami-123456789"], "compute.ami"),
        (["compute.volume.device=/dev/root"], "device"),
        (["compute.key_pair=' k'"], "key_pair"),
        (["aws.assume_role='arn:aws:iam::123456789012:role/a b'"], "assume_role"),
        (["aws.permissions_boundary='arn:aws:iam::aws:policy/'"], "permissions_boundary"),
        (["logs.kms_key='arn:aws:kms:x:key/y'"], "kms_key"),
        (["load_balancer.certificate='arn:aws:acm:a:certificate/y'"], "certificate"),
        (["compute.launch=configuration", "compute.instance_type=m7i.xlarge"], "launch: template"),
        (["compute.instance_type=x2gd.large"], "`x2gd.large` is arm64, not x86_64"),
        (["compute.instance_type=m5.metal", "compute.architecture=arm64"], "is x86_64, not arm64"),
        (["compute.instance_type=t3.metal"], "an instance type such as t3"),
        (["compute.instance_type=mac1.metal"], "an instance type such as"),
        ([f"compute.ami=ssm:{ECS}/amazon-linux-2023/recommended"], "/recommended/image_id"),
        ([f"compute.ami=ssm:{ECS}/amazon-linux-2/recommended/image_id"], "needs Amazon Linux 2023"),
        (["compute.ami=ssm:/aws/service/x/al2023-arm64"], "this image is not for x86_64"),
        (
            [f"compute.ami=ssm:{ECS}/amazon-linux-2023/recommended/image_id"]
            + ["compute.volume={size: 8}"],
            "the instances' image is 30 GiB",
        ),
        (["compute.volume={size: 20000, type: gp2}"], "16384 GiB at most"),
        (["compute.maximum=5001"], "at most 5000"),
        (["compute.maximum=" + "9" * 5000], "allowed: a whole number"),
        (["compute.dynamic_port_range=[32768, 32769]"], "2 ports; the tasks of an instance need 8"),
        (["ecs.minimum_healthy_percent=100", "ecs.maximum_percent=100"], "can ever be replaced"),
        (
            ["ecs.minimum_healthy_percent=100", "ecs.maximum_percent=100", "ecs.desired_count=0"],
            "no task can ever be replaced",
        ),
        ([*FIXED, "ecs.ports=[22, 80, 8082]"], "ECS reserves 22 on each instance"),
        ([*FIXED, "load_balancer.health_check.port=9999"], "no task listens on 9999"),
        ([*FIXED, f"ecs.ports=[80, 8082, {', '.join(map(str, range(100, 220)))}]"], "95 fixed"),
        ([*USERS, "db.user=a", f"db.name={'a' * 34}"], "and 33 are left"),
        (
            [*GROUP, "db.shards=1", "db.cluster_mode=disabled", "db.nodes=2"],
            "leave `db.cluster_mode`",
        ),
        (
            [*GROUP, "db.cluster_mode=disabled", "db.parameter_group=default.redis7.cluster.on"],
            "needs cluster mode",
        ),
        (
            [*GROUP, "db.cluster_mode=compatible", "db.nodes=2"]
            + ["db.parameter_group=default.redis7"],
            "`compatible` needs `default.redis7.cluster.on`",
        ),
        (["db.security_group_name=Web", "compute.security_group_name=web"], "`web` is the name"),
        (["db.security_group_name=SG-x"], "not beginning with sg-"),
        (
            ["aws.account=111111111111"]
            + ["aws.cloudformation_role='arn:aws:iam::222222222222:role/x'"],
            "is of the account 222222222222; `aws.account` is 111111111111",
        ),
        ([f"aws.assume_role='arn:aws:iam::222222222222:role/{'x' * 65}'"], "assume_role"),
        (["ecs.secrets={A: 'ssm:/a//b'}"], "a reference"),
        (["ecs.secrets={A: 'ssm:/a/'}"], "a reference"),
        ([f"ecs.secrets={{A: 'ssm:{'/a' * 16}'}}"], "a reference"),
        (["ecs.secrets={A: 'secretsmanager:a:b'}"], "a reference"),
        (
            [
                "ecs.secrets={A: 'secretsmanager:arn:aws:secretsmanager:eu-wset-1:"
                "123456789012:secret:a'}"
            ],
            "aws has no Region `eu-wset-1`",
        ),
        (
            [f"ecs.secrets={{{', '.join(f'V{n}: ssm:/{n:0>200}' for n in range(45))}}}"],
            "bytes or more; IAM takes 10240",
        ),
        ([f"ecs.environment={{{', '.join(f'V{n}: x' for n in range(2000))}}}"], "65536"),
        (["tags={x: 'हिन्दी'}"], "IAM does not take"),
        (["load_balancer.cidrs=['fe80::%1/64']"], "no part of a CIDR"),
        (["ecs.stop_timeout=９s"], "is not a duration"),
        (["alarms.email=0@0"], "alarms.email"),
        (["alarms.topic=arn:aws-x:sns:eu-west-1:123456789012:x"], "AWS has no partition `aws-x`"),
        (["alarms.topic=arn:aws:sns:eu-wset-1:123456789012:x"], "aws has no Region `eu-wset-1`"),
        (["alarms.topic=arn:aws-cn:sns:eu-west-1:123456789012:x"], "aws-cn has no Region"),
        (["db.availability_zone=eu-wset-1a"], "`eu-wset-1a` is not in any Region"),
        (["db.parameter_group='a b'"], "db.parameter_group"),
        (["compute.security_group_name=' '"], "punctuation and inner spaces"),
        (["aws.region=us-east-1", "db.availability_zone=eu-west-1a"], "is not in us-east-1"),
        (["compute.dynamic_port_range=[9, 8]"], "9 is not below 8"),
        (["compute.desired=3"], "minimum 0 <= desired 3 <= maximum 2 must hold"),
        (["compute.architecture=arm64"], "`t3.xlarge` is x86_64, not arm64"),
        (["image.platform=linux/arm64"], "the instances are x86_64"),
        (["ecs.memory=16384"], "no `t3.xlarge` can hold a task of 512 CPU and 16384 MiB"),
        (
            ["compute.instance_type=t3.small"],
            "8 tasks x 512 CPU, 400 MiB at 100/200 %: 2 x t3.small hold 8, so no task can",
        ),
        (["compute.instance_type=t2.micro"], "2 x t2.micro hold 4; choose larger instances"),
        (["ecs.maximum_percent=100"], "so no task can ever be replaced"),
        (["ecs.ports=[8082]"], "the default asks port 80, which is not one of `ecs.ports`"),
        (["compute.volume={size: 8}"], "the instances' image is 30 GiB"),
        (["db.shards=2"], "a single cluster has no cluster mode; set `db.kind"),
        (["db.kind=replication_group", "db.cluster_mode=enabled"], "`enabled` needs `db.shards`"),
        (
            ["db.kind=replication_group", "db.shards=2", "db.cluster_mode=compatible"],
            "2 shards need cluster mode",
        ),
        (["db.kind=replication_group", "db.shards=300", "db.nodes=2"], "more than AWS allows: 500"),
        (["ecs.scaling={minimum: 3, maximum: 2, cpu_percent: 9}"], "minimum 3 <= maximum 2"),
        (["ecs.scaling={minimum: 1, maximum: 2}"], "nothing is measured"),
        (
            ["ecs.scaling={minimum: 1, maximum: 20, cpu_percent: 9}"],
            "20 tasks x 512 CPU, 400 MiB at 100/200 %: 2 x t3.xlarge hold 16; choose larger",
        ),
        (
            ["db.kind=replication_group", "db.engine=valkey", "db.engine_version='7.1'"],
            "found `7.1`, allowed for valkey",
        ),
        (["name=fargate-x", "compute.capacity_provider=true"], "begins with aws, ecs or fargate"),
        (["ecs.secrets={A: 'env:A'}"], "`env:` works locally only"),
        (["ecs.secrets={A: 'secretsmanager:app-secret'}"], "write the whole ARN"),
        (["secrets.values={a: 'secretsmanager:x/ap-0aZ9bc#key'}"], "write the whole ARN"),
        (["compute.security_group_name=caddy-redis"], "is the name under `db.security_group_name`"),
        (["db.security_group_name=default"], "found `default`"),
        (["ecs.ports=[80, 80, 8082]"], "each port once"),
        (["ecs.health_check.command=[echo]"], "[CMD, program, its words]"),
        (["db.maintenance_window='sun:03:00-sun:03:30'"], "is 30 minutes long"),
        (["db.maintenance_window='sun:25:00-sun:26:00'"], "maintenance_window"),
        (["ecs.placement=[memory]"], "placement"),
        (["ecs.environment={'A=B': x}"], "A=B"),
        (["load_balancer.health_check.path=health"], "path"),
        (["load_balancer.certificate=mine"], "certificate"),
        (["load_balancer.access_logs_bucket=A_B"], "access_logs_bucket"),
        (["logs.kms_key=mine"], "kms_key"),
        (["logs.max_buffer_size=0m"], "max_buffer_size"),
        (["alarms.email=ops"], "email"),
        (["alarms.topic=mine"], "topic"),
        (["compute.volume.device=xvda"], "device"),
        (["db.subnets=[]"], "subnets"),
        (["ecs.environment={A: x}", "ecs.secrets={A: 'ssm:/a'}"], "under `ecs.secrets` too"),
        ([f"tags={{{', '.join(f't{n}: x' for n in range(41))}}}"], "found 41 tags"),
        (["tags={'AWS:x': y}"], "must not begin with aws:"),
        (["tags={x: 'aws:y'}"], "must not begin with aws:"),
        (["tags={x: 'a#b'}"], "tags.x"),
        (["tags={team: a, Team: b}"], "IAM takes it for `team`"),
        (["network.subnets=[subnet-0000000a, subnet-0000000b, subnet-0000000b]"], "written twice"),
        (["db.subnets=[subnet-0000000a, subnet-0000000a]"], "twice: `subnet-0000000a`"),
        (["load_balancer.cidrs=[10.0.0.1, 10.0.0.1/32]"], "written twice: `10.0.0.1/32`"),
        (["load_balancer.cidrs=[]"], "at least 1 entry"),
        (["ecs.breaker.alarms=['']"], "at least 1 character"),
        (["ecs.environment={AWS_REGION: x}"], "the stack sets it"),
        (["ecs.secrets={AWS_REGION: 'ssm:/a'}"], "the stack sets it"),
        (['ecs.environment={A: "\\0"}'], "NUL"),
        (
            [f"ecs.environment={{A: {'x' * 57344}}}"],
            "bytes with all others; a task definition has 65536",
        ),
        (["ecs.health_check.command=[CMD-SHELL, a, b]"], "one command line"),
        (["ecs.stop_timeout=2.5s"], "whole seconds"),
        (["db.subnet_group_name=a_b"], "single hyphens"),
        (["db.subnet_group_name=Shared"], "lower-case letters"),
        (["db.node_type=cache.r6gd.xlarge"], "needs data tiering"),
        (
            ["db.kind=replication_group", "db.shards=2", "db.availability_zone=us-east-1a"],
            "is for a single node, and this cache has 2",
        ),
        (
            ["db.kind=replication_group", "db.cluster_mode=compatible"],
            "here are redis 7.1 and 1",
        ),
        (
            ["db.kind=replication_group", "db.cluster_mode=compatible", "db.nodes=2"]
            + ["db.engine_version=6.2"],
            "here are redis 6.2 and 2",
        ),
        ([*USERS, "db.user=default"], "take another"),
        ([*USERS, "db.user=a b"], "printable ASCII"),
        ([*USERS, "db.user=a", "db.engine_version=5.0.6"], "users need redis 6.0 or later"),
        (["load_balancer.health_check.path='/a b'"], "path"),
        (["load_balancer.access_logs_bucket=192.168.0.1"], "no IP address"),
        (["aws.bucket=a..b"], "two dots side by side"),
        (["aws.bucket=xn--bucket"], "AWS reserves"),
        (["aws.region=us-east-1", f"alarms.topic={TOPIC}"], "is in eu-west-1"),
        (["aws.region=us-gov-west-1", f"alarms.topic={TOPIC}"], "us-gov-west-1 is in aws-us-gov"),
        (["compute.key_pair=" + "k" * 256], "at most 255 characters"),
    ],
)
def test_what_can_never_work_is_refused_with_the_reason(sets: list[str], sentence: str) -> None:
    with pytest.raises(ConfigError) as error:
        load.link(document.parse(SHORT, "f"), environment=None, environ={}, overrides=sets)
    assert any(sentence in finding for finding in error.value.findings)
    assert not any("allowed: ^" in finding for finding in error.value.findings), "in words"


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("aws.region=me-south-1", "price list had no `cache.t4g.micro` in me-south-1"),
        ("network.subnets=[subnet-0000000a]", "in one availability zone only"),
        ("network.load_balancer_subnets=[subnet-0000000a]", "in one availability zone only"),
        (f"alarms={{email: a@b.cc, topic: '{TOPIC}'}}", "is not used beside `alarms.topic`"),
        ("compute.ingress=described", "opens 0-65535"),
        ("compute.role=described", "grants far more"),
        ("compute.launch=configuration", "since 2024-10-01"),
        ("ecs.desired_count=12", "an instance cannot be replaced: 1 of 2 hold 8 of 12 tasks"),
        ("compute.instance_type=u-12tb1.112xlarge", "its capacity is not checked"),
        ("ecs.environment={JWT_SECRET: x}", "looks like a secret in clear"),
    ],
)
def test_what_is_only_unwise_is_a_warning(setting: str, sentence: str) -> None:
    result = load.link(
        document.parse(SHORT, "f"), environment=None, environ={}, overrides=[setting]
    )
    assert any(sentence in warning for warning in result.warnings)


@pytest.mark.parametrize(
    "setting",
    [
        "db.node_type=cache.t2.micro",
        "load_balancer.target_group_name=internal-api",
        "image.repository=a--b__c",
        "ecs.secrets={A: 'secretsmanager:rds!db-0011'}",
        "load_balancer.cidrs=[10.0.0.1/8]",
        "compute.volume={size: 65536, type: gp3}",
        "compute={desired: 0, maximum: 0}",
        "compute.ami=ssm:/golden/arm64-and-x86_64/latest",
        "tags={'a b': 'ä/1'}",
    ],
)
def test_what_aws_takes_is_not_refused(setting: str) -> None:
    sets = ["ecs.desired_count=0", setting]
    result = load.link(document.parse(SHORT, "f"), environment=None, environ={}, overrides=sets)
    assert not any("cannot be replaced" in warning for warning in result.warnings)


@given(
    wanted=st.integers(1, 40),
    lowest=st.integers(0, 100),
    highest=st.integers(100, 300),
    cpu=st.sampled_from([128, 256, 512, 1024, 2048]),
    count=st.integers(1, 6),
)
def test_a_config_that_passes_can_replace_a_task(
    wanted: int, lowest: int, highest: int, cpu: int, count: int
) -> None:
    config = Config(
        name="x",
        network=Network(vpc="vpc-00000001", subnets=["subnet-0000000a", "subnet-0000000b"]),
        ecs=Ecs(
            desired_count=wanted, minimum_healthy_percent=lowest, maximum_percent=highest, cpu=cpu
        ),
        compute=Compute(desired=count, maximum=count),
    )
    refused = [finding for finding in limits.check(config) if finding.refuses]
    room = 4096 // cpu * count
    may_start = min(wanted * highest // 100, room) > wanted
    may_stop = -(-wanted * lowest // 100) < wanted
    assert (not refused) == (wanted <= room and (may_start or may_stop))


@pytest.mark.parametrize(
    ("name", "cpu", "architecture"),
    [
        ("t3.large", 2048, "x86_64"),
        ("t2.micro", 1024, "x86_64"),
        ("t4g.medium", 2048, "arm64"),
        ("m7g.medium", 1024, "arm64"),
        ("c6i.4xlarge", 16384, "x86_64"),
    ],
)
def test_the_table_knows_the_usual_types(name: str, cpu: int, architecture: str) -> None:
    found = instances.find(name)
    assert found is not None
    assert (found.cpu, instances.architecture(name)) == (cpu, architecture)
