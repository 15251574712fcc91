"""What ElastiCache offers for a new cache: node types by family, and versions of its engines.

Sources: https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheNodes.SupportedTypes.html;
cfn-lint's schema of AWS::ElastiCache::CacheCluster, which a test compares with this table. r6gd is
left out: its nodes need data tiering.
"""

# Oldest first.
# https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/supported-engine-versions.html
ENGINE_VERSIONS = {
    "redis": ("5.0.6", "6.0", "6.2", "7.0", "7.1"),
    "valkey": ("7.2", "8.0", "8.1", "8.2", "9.0", "9.1"),
}
_SIZES = {
    "t2 t3 t4g": "micro small medium",
    "m4": "large xlarge 2xlarge 4xlarge 10xlarge",
    "r4": "large xlarge 2xlarge 4xlarge 8xlarge 16xlarge",
    "m5 r5": "large xlarge 2xlarge 4xlarge 12xlarge 24xlarge",
    "c7gn c8gn m6g m7g m8g r6g r7g r8g": "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge",
}
NODE_TYPES = tuple(
    f"cache.{family}.{size}"
    for families, sizes in _SIZES.items()
    for family in families.split()
    for size in sizes.split()
)

# Families that the price list has in some Regions only, and those that it lacks in some.
_ONLY_IN = {
    "c7gn": "eu-west-1 us-east-1 us-east-2 us-west-2",
    "m4": (
        "ap-northeast-1 ap-northeast-2 ap-south-1 ap-southeast-1 ap-southeast-2 ca-central-1 "
        "cn-north-1 cn-northwest-1 eu-central-1 eu-west-1 eu-west-2 sa-east-1 us-east-1 us-east-2 "
        "us-west-1 us-west-2"
    ),
    "r4 t2": (
        "ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-southeast-1 ap-southeast-2 "
        "ca-central-1 cn-north-1 cn-northwest-1 eu-central-1 eu-west-1 eu-west-2 eu-west-3 "
        "sa-east-1 us-east-1 us-east-2 us-gov-east-1 us-gov-west-1 us-west-1 us-west-2"
    ),
}
_NOT_IN = {
    "c8gn": (
        "ap-east-2 ap-northeast-3 ap-southeast-6 eu-west-3 il-central-1 me-central-1 me-south-1 "
        "mx-central-1"
    ),
    "m5": (
        "ap-east-2 ap-southeast-5 ap-southeast-6 ap-southeast-7 cn-north-1 cn-northwest-1 "
        "mx-central-1"
    ),
    "m7g": "ca-west-1 eu-south-1",
    "m8g": "ap-east-2 ap-southeast-6 il-central-1 me-central-1 me-south-1 mx-central-1",
    "r5": "ap-east-2 ap-southeast-5 ap-southeast-6 ap-southeast-7 mx-central-1",
    "r8g": "ap-east-2 il-central-1 me-central-1 me-south-1",
    "t3": "ap-southeast-6",
    "t4g": "me-central-1 me-south-1",
}


def is_listed(name: str, region: str) -> bool:
    """Return whether the price list, when this was written, had a node type in a Region."""
    family = name.split(".")[1]
    only = next((one for key, one in _ONLY_IN.items() if family in key.split()), region)
    return region in only.split() and region not in _NOT_IN.get(family, "").split()


def cores(name: str) -> int:
    """Return a node type's vCPUs: two up to large, else four for each xlarge; small t2 have one.

    Source: https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheNodes.SupportedTypes.html
    """
    size = name.rpartition(".")[2]
    if name in ("cache.t2.micro", "cache.t2.small"):
        return 1
    return 4 * int(size.removesuffix("xlarge") or 1) if size.endswith("xlarge") else 2
