"""The node types of ElastiCache that a new cache may have, by family.

Sources: https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheNodes.SupportedTypes.html;
cfn-lint's schema of AWS::ElastiCache::CacheCluster, which a test compares with this table. Families
that are no longer sold are left out, and r6gd, whose nodes need data tiering.
"""

_SIZES = {
    "t3 t4g": "micro small medium",
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
    """Return a node type's vCPUs, which follow from its size: two up to large, else its xlarges'.

    Source: https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheNodes.SupportedTypes.html
    """
    size = name.rpartition(".")[2]
    return 4 * int(size.removesuffix("xlarge") or 1) if size.endswith("xlarge") else 2
