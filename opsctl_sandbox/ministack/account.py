"""What every AWS account has and ministack's lacks, put into its stores before the first call.

The default VPC with a subnet in three AZs is ministack's own; the images of ECS are in
`machine_images`. The cache endpoint is fixed at import, hence the reach into its modules (version
pinned; tests/opsctl_sandbox/ministack/test_account.py fails when a name moves).
"""

from ministack.services import ecr, elasticache


def seed(*, cache_port: int, registry: str) -> None:
    """`registry` (HOST:PORT) is where images are pushed to: this server, which answers `/v2/`."""
    elasticache.REDIS_DEFAULT_HOST = "127.0.0.1"
    elasticache.REDIS_DEFAULT_PORT = cache_port
    # A name under amazonaws.com would lead an engine to the real ECR; 127/8 needs no TLS.
    ecr._repo_uri = lambda name: f"{registry}/{name}"
