"""The tables of what AWS sells, against the lists of botocore and cfn-lint."""

import json
import re
from pathlib import Path
from typing import Any

import botocore.session
import cfnlint  # type: ignore[import-untyped]
import pytest

from opsctl.config import elasticache, instances
from opsctl.config.elasticache import ENGINE_VERSIONS
from opsctl.config.regions import REGIONS

# Also on cfn-lint's list, and nothing for a stack of ours: its nodes need data tiering.
NOT_OURS = ("r6gd",)


FAMILIES = sorted(instances.families())


@pytest.fixture(scope="module")
def sold() -> set[str]:
    """EC2's instance types; a whole machine (`metal`) holds no more than its family's largest."""
    model: Any = botocore.session.get_session().get_service_model("ec2")
    names: list[str] = model.shape_for("InstanceType").enum
    return {name for name in names if ".metal" not in name}


def test_a_family_in_the_table_has_the_sizes_that_ec2_has(sold: set[str]) -> None:
    assert len(FAMILIES) > 40
    for family in FAMILIES:
        here = {one for one in sold if one.startswith(f"{family}.")}
        assert {*instances.siblings(f"{family}.large")} == here, family


def test_every_type_that_ec2_has_is_possible(sold: set[str]) -> None:
    old = {
        "t1",
        "m1",
        "m2",
        "c1",
        "cc2",
        "cg1",
        "cr1",
        "hi1",
        "hs1",
    }  # Amazon Linux 2023 starts on none
    left_out = {one.split(".")[0] for one in sold if not instances.is_possible(one)}
    assert left_out <= old


def test_a_whole_machine_is_possible_where_its_family_has_one() -> None:
    model: Any = botocore.session.get_session().get_service_model("ec2")
    whole = {one.split(".")[0] for one in model.shape_for("InstanceType").enum if ".metal" in one}
    for family in FAMILIES:
        assert instances.is_possible(f"{family}.metal") == (family in whole), family
    assert instances.is_possible("u-6tb1.metal") and not instances.is_possible("mac2.metal")


@pytest.mark.parametrize(
    "name", ["a1.large", "x2gd.large", "g5g.xlarge", "c8gn.large", "c6g.metal"]
)
def test_the_name_of_any_family_tells_its_architecture(name: str) -> None:
    assert instances.architecture(name) == "arm64"
    assert instances.architecture(name.replace("g", "i").replace("a1", "g4dn")) == "x86_64"


def test_launch_configurations_take_no_type_of_2023_or_later() -> None:
    assert all(map(instances.is_too_new, ("m7i.xlarge", "c7gn.large", "r8g.large", "m7a.large")))
    assert not any(map(instances.is_too_new, ("c7g.large", "m6i.large", "t3.xlarge", "t4g.small")))


def test_the_engine_versions_are_those_of_the_schema() -> None:
    path = "data/schemas/extensions/aws_elasticache_cachecluster/engine_version.json"
    listed = _texts(json.loads((Path(cfnlint.__file__).parent / path).read_text()))
    ours = {one for versions in ENGINE_VERSIONS.values() for one in versions}
    assert ours <= listed
    newer = {one for one in listed - ours if re.fullmatch(r"[5-9]\.[0-9.]+", one)}
    assert not [one for one in newer if not one.startswith("5.0.")]


@pytest.mark.parametrize(
    "name", ["t3.xlrage", "t3.8xlarge", "m5.3xlarge", "m5.", "x9.1xlarge", "x9.metal-xl", "x9.huge"]
)
def test_what_ec2_never_has_is_not_possible(name: str) -> None:
    assert not instances.is_possible(name)


def test_the_node_types_are_those_of_the_schema() -> None:
    path = "data/schemas/extensions/aws_elasticache_cachecluster/cachenodetype_enum.json"
    listed = _texts(json.loads((Path(cfnlint.__file__).parent / path).read_text()))
    ours = {one for one in listed if one.split(".")[1] not in NOT_OURS}
    assert {*elasticache.NODE_TYPES} == ours


def test_a_node_type_is_listed_where_the_price_list_has_it() -> None:
    path = "data/schemas/extensions/aws_elasticache_cachecluster/cachenodetype_enum.json"
    by_region = json.loads((Path(cfnlint.__file__).parent / path).read_text())
    regions = [one for one in REGIONS if "enum" in by_region.get(one, {})]
    assert len(regions) > 30
    for region in regions:
        sold = {one for one in elasticache.NODE_TYPES if elasticache.is_listed(one, region)}
        assert sold == {*by_region[region]["enum"]} & {*elasticache.NODE_TYPES}, region


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
    assert elasticache.cores(name) == cores


def _texts(value: Any) -> set[str]:
    """Every text of an `enum` anywhere in a schema."""
    if isinstance(value, dict):
        return {*value.get("enum", ())}.union(*map(_texts, value.values()))
    return set().union(*map(_texts, value)) if isinstance(value, list) else set()
