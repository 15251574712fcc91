"""Add what every AWS account has and ministack's lacks, before the first call.

ministack itself has a default VPC with a subnet in three AZs, but no internet route. The images of
ECS are in `machine_images`, the servers of caches in `caches`. None of this can be written over
HTTP, so its modules are changed directly (its version is pinned;
tests/opsctl_sandbox/ministack/test_account.py fails when a name changes).
"""

from ministack.services import ec2, ecr, ssm

# The example config refers to this secret, so its first release needs no further step.
EXAMPLE_SECRET = "/example/refresh_token"


def seed(*, registry: str) -> None:
    """Seed the account. `registry` (HOST:PORT) is this server, which answers `/v2/`."""
    value = {"Name": EXAMPLE_SECRET, "Type": "SecureString", "Value": "sandbox-refresh-token"}
    ssm._put_parameter(value)
    way_out = {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-00000001", "State": "active"}
    ec2._route_tables["rtb-00000001"]["Routes"].append({**way_out, "Origin": "CreateRoute"})
    # A name under amazonaws.com would lead to the real ECR; 127/8 needs no TLS.
    ecr._repo_uri = lambda name: f"{registry}/{name}"
