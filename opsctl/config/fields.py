"""Types of single keys in `opsctl.yaml`, with their ranges: durations, ports, references."""

import re
from datetime import timedelta
from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from opsctl.config.document import written
from opsctl.config.duration import format_duration, parse_duration

# Source:
# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096),
    *(1827, 2192, 2557, 2922, 3288, 3653),
)
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
_BUCKET_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")


def _network(text: str) -> str:
    return str(ip_network(text))


def retention(days: int) -> int:
    if days not in RETENTION_DAYS:
        raise ValueError(f"choose one of {', '.join(map(str, RETENTION_DAYS))}")
    return days


def _tag(key: str) -> str:
    if key.lower().startswith(("aws:", "opsctl:")):
        raise ValueError("must not begin with aws: or opsctl:")
    return key


def _tag_value(value: str) -> str:
    if value.lower().startswith("aws:"):
        raise ValueError("must not begin with aws:")
    return value


def _bucket(name: str) -> str:
    if ".." in name or re.fullmatch(r"[0-9]+(\.[0-9]+){3}", name):
        raise ValueError("must hold no two dots side by side and be no IP address")
    if name.startswith(_BUCKET_PREFIXES) or name.endswith(_BUCKET_SUFFIXES):
        raise ValueError("begins or ends as AWS reserves for other things than buckets")
    return name


def _whole_seconds(value: timedelta) -> timedelta:
    if value.microseconds:
        raise ValueError("must be whole seconds")
    return value


# `engine_version: 7.1` and `account: 012345678901` are text as written, not numbers.
Text = Annotated[str, BeforeValidator(written)]
Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    AfterValidator(_whole_seconds),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d|w))+$"}),
]
Port = Annotated[int, Field(ge=1, le=65535)]
# Ranges are those of the APIs, from botocore's models and the resource schemas; a test compares
# every number here with the schemas.
HealthInterval = Annotated[Duration, Field(ge=timedelta(seconds=5), le=timedelta(seconds=300))]
CheckTimeout = Annotated[Duration, Field(ge=timedelta(seconds=2), le=timedelta(seconds=60))]
StartPeriod = Annotated[Duration, Field(ge=timedelta(), le=timedelta(seconds=300))]
Delay = Annotated[Duration, Field(ge=timedelta(), le=timedelta(hours=1))]
SignalTimeout = Annotated[Duration, Field(ge=timedelta(minutes=1), le=timedelta(hours=12))]
Cooldown = Annotated[Duration, Field(ge=timedelta(), le=timedelta(days=1))]
StopTimeout = Annotated[Duration, Field(ge=timedelta(seconds=2), le=timedelta(minutes=10))]
# A secret is given as a reference: ssm:/path, secretsmanager:name, env:NAME.
_REFERENCE = (
    r"^(ssm:/[A-Za-z0-9_./-]+|secretsmanager:[A-Za-z0-9/_+=.@:-]+(#[A-Za-z0-9_.-]+)?"
    r"|env:[A-Za-z_][A-Za-z0-9_]*)$"
)
SecretReference = Annotated[Text, Field(pattern=_REFERENCE)]
# https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateCacheCluster.html
_TIME = r"(sun|mon|tue|wed|thu|fri|sat):([01][0-9]|2[0-3]):[0-5][0-9]"
Window = Annotated[Text, Field(pattern=rf"^{_TIME}-{_TIME}$")]
# Of an ARN: the partition, a Region, an account, and the path and name of something in IAM.
_AWS, _REGION, _ACCOUNT = "arn:aws[a-z-]*", "[a-z]+(-[a-z]+)+-[0-9]", "[0-9]{12}"
_IAM_NAME = r"([A-Za-z0-9_.+=,@-]+/)*[A-Za-z0-9_.+=,@-]+"
RoleArn = Annotated[Text, Field(pattern=rf"^{_AWS}:iam::{_ACCOUNT}:role/{_IAM_NAME}$")]
PolicyArn = Annotated[Text, Field(pattern=rf"^{_AWS}:iam::({_ACCOUNT}|aws):policy/{_IAM_NAME}$")]
KmsKey = Annotated[Text, Field(pattern=rf"^{_AWS}:kms:{_REGION}:{_ACCOUNT}:key/[a-z0-9-]+$")]
Certificate = Annotated[
    Text,
    Field(
        pattern=rf"^{_AWS}:(acm:{_REGION}:{_ACCOUNT}:certificate/[a-z0-9-]+"
        rf"|iam::{_ACCOUNT}:server-certificate/{_IAM_NAME})$"
    ),
]
Topic = Annotated[Text, Field(pattern=rf"^{_AWS}:sns:{_REGION}:{_ACCOUNT}:[A-Za-z0-9_-]{{1,256}}$")]
# Eight digits are those of old accounts.
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/resource-ids.html
_DIGITS = "([0-9a-f]{8}|[0-9a-f]{17})"
VpcId = Annotated[Text, Field(pattern=f"^vpc-{_DIGITS}$")]
SubnetId = Annotated[Text, Field(pattern=f"^subnet-{_DIGITS}$")]
# A machine image, or a parameter of SSM that holds the id of one.
Ami = Annotated[Text, Field(pattern=rf"^(ami-{_DIGITS}|ssm:/[A-Za-z0-9_./-]+)$")]
Zone = Annotated[Text, Field(pattern=rf"^{_REGION}(-[a-z]+-[0-9])?[a-f]$")]
# ElastiCache's own groups are of one engine version.
ParameterGroup = Annotated[
    Text,
    Field(pattern=r"^(default\.[a-z]+[0-9][a-z0-9.]*|[A-Za-z](-?[A-Za-z0-9])*)$", max_length=255),
]
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/device_naming.html
Device = Annotated[Text, Field(pattern=r"^/dev/(sd[a-z][0-9]{0,2}|xvd[a-d]?[a-z])$")]
KeyPair = Annotated[Text, Field(pattern=r"^[!-~]([ -~]*[!-~])?$", max_length=255)]
AlarmName = Annotated[Text, Field(min_length=1, max_length=255)]
Email = Annotated[
    Text, Field(pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@([A-Za-z0-9-]+\.)+[A-Za-z]{2,}$")
]
BucketName = Annotated[
    Text, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"), AfterValidator(_bucket)
]
Variable = Annotated[str, Field(pattern=r"^[^=\s]+$")]
# What a spread may go by; binpack alone knows cpu and memory.
Placement = Annotated[Text, Field(pattern=r"^(instanceId|host|attribute:[A-Za-z0-9_./-]+)$")]
Cidr = Annotated[str, AfterValidator(_network)]
# strict: `no` is text and "8" is not a number. A list may still fill a tuple.
PortRange = Annotated[tuple[Port, Port], Field(strict=False)]
# Percent of the desired count; a plain number is a count of failed tasks.
BreakerPercent = Annotated[Text, Field(pattern=r"^([1-9][0-9]?|100)%$")]
# AWS reserves `aws:`, and opsctl recognises its stacks by `opsctl:`. The length is checked
# separately: the regex engine takes 40 ms to compile `\w{1,128}`.
TagKey = Annotated[
    str, Field(min_length=1, max_length=128, pattern=r"^[\w .:/=+@-]+$"), AfterValidator(_tag)
]
# IAM's pattern for values, which the other services allow, too.
TagValue = Annotated[
    Text,
    Field(min_length=1, max_length=256, pattern=r"^[\w .:/=+@-]+$"),
    AfterValidator(_tag_value),
]
# "HealthCheckPath must begin with a '/' character and only contain printable ASCII characters,
# without spaces." (hashicorp/terraform#32616)
HealthPath = Annotated[Text, Field(pattern=r"^/[!-~]*$", max_length=1024)]
