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


def cores(name: str) -> int:
    """Return a node type's vCPUs: two up to large, else four for each xlarge; small t2 have one.

    Source: https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheNodes.SupportedTypes.html
    """
    size = name.rpartition(".")[2]
    if name in ("cache.t2.micro", "cache.t2.small"):
        return 1
    return 4 * int(size.removesuffix("xlarge") or 1) if size.endswith("xlarge") else 2
