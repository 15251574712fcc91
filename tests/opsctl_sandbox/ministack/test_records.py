"""What a task needs before it starts, found as ECS finds it."""

from ministack.services import secretsmanager

from opsctl_sandbox.ministack import records

ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:"


def test_a_secret_is_found_by_its_whole_arn_or_without_its_suffix() -> None:
    made = {("123456789012", "us-east-1", name): {"ARN": f"{ARN}{name}-Ab12cD"} for name in "ab"}
    made["123456789012", "us-east-1", "app-secret"] = {"ARN": f"{ARN}app-secret-Ab12cD"}
    before = dict(secretsmanager._secrets._data)
    secretsmanager._secrets._data.update(made)
    try:
        assert records.holds("secret", f"{ARN}a")
        assert records.holds("secret", f"{ARN}a-Ab12cD:key::")
        assert not records.holds("secret", f"{ARN}app")
        # AWS takes this for a whole ARN, which no secret has.
        assert not records.holds("secret", f"{ARN}app-secret")
        assert records.holds("secret", f"{ARN}app-secret-Ab12cD")
    finally:
        secretsmanager._secrets._data.clear()
        secretsmanager._secrets._data.update(before)
