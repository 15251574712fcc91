"""The instance types that EC2 has, by botocore: a line for each family, with its sizes."""

import re
from typing import Any

import botocore.session

from opsctl.config import instances

FILE = instances.OFFERED
_SMALL = ("nano", "micro", "small", "medium", "large", "xlarge")


def text() -> str:
    model: Any = botocore.session.get_session().get_service_model("ec2")
    families: dict[str, list[str]] = {}
    for name in model.shape_for("InstanceType").enum:
        family, _, size = name.partition(".")
        families.setdefault(family, []).append(size)
    rows = (f"{name} {' '.join(sorted(families[name], key=_place))}" for name in sorted(families))
    return "\n".join(rows) + "\n"


def _place(size: str) -> tuple[int, int, str]:
    """From the smallest to the largest, whole machines last."""
    if size in _SMALL:
        return 0, _SMALL.index(size), size
    number = re.search(r"[0-9]+", size)
    return (2 if "metal" in size else 1), int(number[0]) if number else 0, size
