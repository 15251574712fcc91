"""Types of single keys in `opsctl.yaml`, with their ranges: durations, ports, references."""

import re
import unicodedata
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


# Patterns in words, for the sentence about a value that does not match.
WORDS: dict[str, str] = {}


def like(pattern: str, words: str) -> str:
    """Return the pattern, which is said as `words`."""
    WORDS[pattern] = words
    return pattern


def _network(text: str) -> str:
    """Return the CIDR as EC2 keeps it, without the bits of a host."""
    if "%" in text:
        raise ValueError("an interface (%) is no part of a CIDR")
    return str(ip_network(text, strict=False))


def retention(days: int) -> int:
    if days not in RETENTION_DAYS:
        raise ValueError(f"choose one of {', '.join(map(str, RETENTION_DAYS))}")
    return days


def _iam(text: str) -> str:
    """IAM, whose roles have the tags, too, takes letters, numbers, separators and a few signs."""
    for one in text:
        if unicodedata.category(one)[0] not in "LNZ" and one not in "_.:/=+-@":
            raise ValueError(f"IAM does not take `{one}` in a tag")
    return text


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
# Of an ARN: the partition, a Region, an account, and the path and name of something in IAM.
_AWS, _REGION, _ACCOUNT = "arn:aws[a-z-]*", "[a-z]+(-[a-z]+)+-[0-9]", "[0-9]{12}"
_IAM_NAME = r"([A-Za-z0-9_.+=,@-]+/)*[A-Za-z0-9_.+=,@-]"
# A secret is given as a reference: ssm:/path, secretsmanager:name, env:NAME. A parameter has 15
# levels at most; RDS's own secrets have a `!` in their names.
_PARAMETER = r"ssm:(/[A-Za-z0-9_.-]+){1,15}"
_SECRET_NAME = r"[A-Za-z0-9/_+=.@!-]+"
_REFERENCE = (
    rf"^({_PARAMETER}"
    rf"|secretsmanager:({_AWS}:secretsmanager:{_REGION}:{_ACCOUNT}:secret:)?{_SECRET_NAME}"
    r"(#[A-Za-z0-9_.-]+)?|env:[A-Za-z_][A-Za-z0-9_]*)$"
)
SecretReference = Annotated[Text, Field(pattern=_REFERENCE)]
# https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateCacheCluster.html
_TIME = r"(sun|mon|tue|wed|thu|fri|sat):([01][0-9]|2[0-3]):[0-5][0-9]"
Window = Annotated[
    Text,
    Field(pattern=like(rf"^{_TIME}-{_TIME}$", "a time of the week such as sun:03:00-sun:04:00")),
]
RoleArn = Annotated[
    Text,
    Field(pattern=like(rf"^{_AWS}:iam::{_ACCOUNT}:role/{_IAM_NAME}{{1,64}}$", "the ARN of a role")),
]
PolicyArn = Annotated[
    Text,
    Field(
        pattern=like(
            rf"^{_AWS}:iam::({_ACCOUNT}|aws):policy/{_IAM_NAME}{{1,128}}$", "the ARN of a policy"
        )
    ),
]
KmsKey = Annotated[
    Text,
    Field(
        pattern=like(
            rf"^{_AWS}:kms:{_REGION}:{_ACCOUNT}:key/[a-z0-9-]+$", "the ARN of a key of KMS"
        )
    ),
]
Certificate = Annotated[
    Text,
    Field(
        pattern=like(
            rf"^{_AWS}:(acm:{_REGION}:{_ACCOUNT}:certificate/[a-z0-9-]+"
            rf"|iam::{_ACCOUNT}:server-certificate/{_IAM_NAME}{{1,128}})$",
            "the ARN of a certificate of ACM or IAM",
        )
    ),
]
Topic = Annotated[
    Text,
    Field(
        pattern=like(
            rf"^{_AWS}:sns:{_REGION}:{_ACCOUNT}:[A-Za-z0-9_-]{{1,256}}$",
            "the ARN of a topic that is no FIFO topic",
        )
    ),
]
# Eight digits are those of old accounts.
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/resource-ids.html
_DIGITS, _HEX = "([0-9a-f]{8}|[0-9a-f]{17})", "8 or 17 hexadecimal digits"
VpcId = Annotated[Text, Field(pattern=like(f"^vpc-{_DIGITS}$", f"vpc- and {_HEX}"))]
SubnetId = Annotated[Text, Field(pattern=like(f"^subnet-{_DIGITS}$", f"subnet- and {_HEX}"))]
# A machine image, or a parameter of SSM that holds the id of one.
Ami = Annotated[
    Text,
    Field(
        pattern=like(rf"^(ami-{_DIGITS}|{_PARAMETER})$", f"ami- and {_HEX}, or ssm:/a/parameter")
    ),
]
Zone = Annotated[
    Text,
    Field(
        pattern=like(
            rf"^{_REGION}(-[a-z]+-[0-9])?[a-f]$", "an availability zone such as us-east-1a"
        )
    ),
]
# ElastiCache's own groups are of one engine version.
ParameterGroup = Annotated[
    Text,
    Field(
        pattern=like(
            r"^(default\.[a-z]+[0-9][a-z0-9.]*|[A-Za-z](-?[A-Za-z0-9])*)$",
            "letters, digits and single hyphens, or a default group such as default.redis7",
        ),
        max_length=255,
    ),
]
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/device_naming.html
Device = Annotated[
    Text,
    Field(
        pattern=like(
            r"^/dev/(sd[a-z]([1-9]|1[0-5])?|xvd[a-d]?[a-z])$", "a device such as /dev/xvdcz"
        )
    ),
]
KeyPair = Annotated[
    Text,
    Field(
        pattern=like(r"^[!-~]([ -~]*[!-~])?$", "ASCII without spaces at its ends"), max_length=255
    ),
]
AlarmName = Annotated[Text, Field(min_length=1, max_length=255)]
Email = Annotated[
    Text,
    Field(
        pattern=like(
            r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@([A-Za-z0-9-]+\.)+[A-Za-z]{2,}$",
            "an address such as ops@example.com",
        )
    ),
]
BucketName = Annotated[
    Text,
    Field(
        pattern=like(
            r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
            "3 to 63 lower-case letters, digits, hyphens and dots",
        )
    ),
    AfterValidator(_bucket),
]
Variable = Annotated[str, Field(pattern=like(r"^[^=\s]+$", "a name without = and spaces"))]
# What a spread may go by; binpack alone knows cpu and memory.
Placement = Annotated[
    Text,
    Field(
        pattern=like(
            r"^(instanceId|host|attribute:[A-Za-z0-9_./-]+)$", "instanceId, host or attribute:NAME"
        )
    ),
]
Cidr = Annotated[str, AfterValidator(_network)]
# strict: `no` is text and "8" is not a number. A list may still fill a tuple.
PortRange = Annotated[tuple[Port, Port], Field(strict=False)]
# Percent of the desired count; a plain number is a count of failed tasks.
BreakerPercent = Annotated[Text, Field(pattern=like(r"^([1-9][0-9]?|100)%$", "1% to 100%"))]
# AWS reserves `aws:`, and opsctl recognises its stacks by `opsctl:`. The length is checked
# separately: the regex engine takes 40 ms to compile `\w{1,128}`.
TagKey = Annotated[
    str, Field(min_length=1, max_length=128), AfterValidator(_iam), AfterValidator(_tag)
]
# IAM's pattern for values, which the other services allow, too.
TagValue = Annotated[
    Text,
    Field(min_length=1, max_length=256),
    AfterValidator(_iam),
    AfterValidator(_tag_value),
]
# "HealthCheckPath must begin with a '/' character and only contain printable ASCII characters,
# without spaces." (hashicorp/terraform#32616)
HealthPath = Annotated[
    Text, Field(pattern=like(r"^/[!-~]*$", "a path of ASCII without spaces"), max_length=1024)
]
AccountId = Annotated[Text, Field(pattern=like(r"^[0-9]{12}$", "twelve digits"))]
ExternalId = Annotated[
    Text,
    Field(
        pattern=like(r"^[A-Za-z0-9_+=,.@:/-]+$", "letters, digits and _ + = , . @ : / -"),
        min_length=2,
        max_length=1224,
    ),
]
EngineVersion = Annotated[
    Text, Field(pattern=like(r"^[0-9]+\.[0-9]+(\.[0-9]+)?$", "a version such as 7.1"))
]
InstanceTypeName = Annotated[
    Text, Field(pattern=like(r"^[a-z][a-z0-9-]*\.[a-z0-9-]+$", "a type such as t3.xlarge"))
]
BufferSize = Annotated[str, Field(pattern=like(r"^[1-9][0-9]{0,3}[kmg]$", "a size such as 4m"))]
SelectionName = Annotated[
    str, Field(pattern=like(r"^[a-z](-?[a-z0-9])*$", "lower-case words, with single hyphens"))
]
