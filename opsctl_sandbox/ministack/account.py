"""What every AWS account has and ministack's lacks, put into its stores before the first call.

The default VPC with a subnet in three AZs is ministack's own, but for its way out; the images of
ECS are in `machine_images`, the servers of caches in `caches`. None of it can be written over HTTP,
hence the reach into its modules (version pinned; tests/opsctl_sandbox/ministack/test_account.py
fails when a name moves).
"""

from ministack.services import ec2, ecr, ssm

# What the example config refers to, so that its first release starts without another step.
EXAMPLE_SECRET = "/example/refresh_token"


def seed(*, registry: str) -> None:
    """`registry` (HOST:PORT) is where images are pushed to: this server, which answers `/v2/`."""
    value = {"Name": EXAMPLE_SECRET, "Type": "SecureString", "Value": "sandbox-refresh-token"}
    ssm._put_parameter(value)
    way_out = {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-00000001", "State": "active"}
    ec2._route_tables["rtb-00000001"]["Routes"].append({**way_out, "Origin": "CreateRoute"})
    # A name under amazonaws.com would lead an engine to the real ECR; 127/8 needs no TLS.
    ecr._repo_uri = lambda name: f"{registry}/{name}"
