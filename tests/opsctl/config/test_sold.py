"""The tables of what AWS sells, against the lists of botocore and cfn-lint."""

import json
from pathlib import Path
from typing import Any

import botocore.session
import cfnlint  # type: ignore[import-untyped]
import pytest

from opsctl.config import instances, node_types

# Also on cfn-lint's list, and nothing for a stack of ours: no longer sold, or with data tiering.
NOT_OURS = ("t2", "r6gd")


@pytest.fixture(scope="module")
def sold() -> set[str]:
    """EC2's instance types; a whole machine (`metal`) holds no more than its family's largest."""
    model: Any = botocore.session.get_session().get_service_model("ec2")
    names: list[str] = model.shape_for("InstanceType").enum
    return {name for name in names if ".metal" not in name}


def test_a_family_in_the_table_has_the_sizes_that_ec2_has(sold: set[str]) -> None:
    families = {one.partition(".")[0] for one in sold if instances.siblings(one)}
    assert len(families) > 40
    for family in families:
        here = {one for one in sold if one.startswith(f"{family}.")}
        assert {*instances.siblings(f"{family}.large")} == here, family


def test_every_type_that_ec2_has_is_possible(sold: set[str]) -> None:
    assert not [one for one in sold if not instances.is_possible(one)]
    assert instances.is_possible("m5.metal") and instances.is_possible("u-6tb1.metal")


@pytest.mark.parametrize(
    "name", ["t3.xlrage", "t3.8xlarge", "m5.3xlarge", "m5.", "x9.1xlarge", "x9.metal-xl", "x9.huge"]
)
def test_what_ec2_never_has_is_not_possible(name: str) -> None:
    assert not instances.is_possible(name)


def test_the_node_types_are_those_of_the_schema() -> None:
    path = "data/schemas/extensions/aws_elasticache_cachecluster/cachenodetype_enum.json"
    listed = _texts(json.loads((Path(cfnlint.__file__).parent / path).read_text()))
    ours = {one for one in listed if one.split(".")[1] not in NOT_OURS}
    assert {*node_types.NODE_TYPES} == ours


@pytest.mark.parametrize(
    ("name", "cores"),
    [
        ("cache.t4g.micro", 2),
        ("cache.r7g.large", 2),
        ("cache.m5.xlarge", 4),
        ("cache.r5.24xlarge", 96),
    ],
)
def test_a_node_has_the_cores_of_its_size(name: str, cores: int) -> None:
    assert node_types.cores(name) == cores


def _texts(value: Any) -> set[str]:
    """Every text of an `enum` anywhere in a schema."""
    if isinstance(value, dict):
        return {*value.get("enum", ())}.union(*map(_texts, value.values()))
    return set().union(*map(_texts, value)) if isinstance(value, list) else set()
