"""What every AWS account has and ministack's lacks, put into its stores before the first call.

The default VPC with a subnet in three AZs is ministack's own, but for its way out; the images of
ECS are in `machine_images`. The cache endpoint is fixed at import, hence the reach into its modules
(version pinned; tests/opsctl_sandbox/ministack/test_account.py fails when a name moves).
"""

from ministack.services import ec2, ecr, elasticache, ssm

# What the example config refers to, so that its first release starts without another step.
EXAMPLE_SECRET = "/example/refresh_token"


def seed(*, cache_port: int, registry: str) -> None:
    """`registry` (HOST:PORT) is where images are pushed to: this server, which answers `/v2/`."""
    value = {"Name": EXAMPLE_SECRET, "Type": "SecureString", "Value": "sandbox-refresh-token"}
    ssm._put_parameter(value)
    way_out = {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-00000001", "State": "active"}
    ec2._route_tables["rtb-00000001"]["Routes"].append({**way_out, "Origin": "CreateRoute"})
    elasticache.REDIS_DEFAULT_HOST = "127.0.0.1"
    elasticache.REDIS_DEFAULT_PORT = cache_port
    # A name under amazonaws.com would lead an engine to the real ECR; 127/8 needs no TLS.
    ecr._repo_uri = lambda name: f"{registry}/{name}"
