"""What every AWS account has and ministack's lacks, put into its stores before the first call.

The default VPC with a subnet in three AZs is ministack's own; the images of ECS are in
`machine_images`, the servers of caches in `caches`.
"""

from ministack.services import ecr


def seed(*, registry: str) -> None:
    """`registry` (HOST:PORT) is where images are pushed to: this server, which answers `/v2/`."""
    # A name under amazonaws.com would lead an engine to the real ECR; 127/8 needs no TLS.
    ecr._repo_uri = lambda name: f"{registry}/{name}"
