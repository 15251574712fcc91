"""What SSM says of a public parameter: AWS names its newest images that way."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_ssm.client import SSMClient


def value(ssm: "SSMClient", name: str) -> str:
    """The parameter's value; '' when there is no such parameter."""
    try:
        return ssm.get_parameter(Name=name)["Parameter"].get("Value", "")
    except ssm.exceptions.ParameterNotFound:
        return ""
