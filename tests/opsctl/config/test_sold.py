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


@pytest.fixture(scope="module")
def sold() -> set[str]:
    model: Any = botocore.session.get_session().get_service_model("ec2")
    return {*model.shape_for("InstanceType").enum}


def test_a_family_of_known_capacity_has_the_sizes_that_ec2_has(sold: set[str]) -> None:
    sizes = {one.split(".")[1] for one in sold} | {f"{count}xlarge" for count in range(1, 200)}
    every = {f"{one.split('.')[0]}.{size}" for one in sold for size in sizes}
    known = {one for one in every if instances.find(one) is not None}
    families = {one.split(".")[0] for one in known}
    assert len(families) > 40
    here = {one for one in sold if one.split(".")[0] in families and ".metal" not in one}
    assert known == here


def test_every_type_is_offered_but_those_that_no_stack_can_start(sold: set[str]) -> None:
    offered = {*instances.offered()}
    left_out = {one.split(".")[0] for one in sold - offered}
    # Amazon Linux 2023 starts on none of these, and macs need a dedicated host.
    old = {"t1", "m1", "m2", "c1", "cc2", "cg1", "cr1", "hi1", "hs1"}
    assert {one for one in left_out if not one.startswith("mac")} <= old
    assert offered <= sold and {"m5.metal", "u-6tb1.metal"} <= offered


@pytest.mark.parametrize(
    "name", ["a1.large", "x2gd.large", "g5g.xlarge", "c8gn.large", "c6g.metal"]
)
def test_the_name_of_any_family_tells_its_architecture(name: str) -> None:
    assert instances.architecture(name) == "arm64"
    assert instances.architecture(name.replace("g", "i").replace("a1", "g4dn")) == "x86_64"


def test_launch_configurations_take_no_type_of_2023_or_later() -> None:
    assert all(map(instances.is_too_new, ("m7i.xlarge", "c7gn.large", "g6.xlarge", "p5.48xlarge")))
    assert not any(map(instances.is_too_new, ("c7g.large", "m6in.large", "g5.xlarge", "t4g.small")))


def test_the_engine_versions_are_those_of_the_schema() -> None:
    path = "data/schemas/extensions/aws_elasticache_cachecluster/engine_version.json"
    listed = _texts(json.loads((Path(cfnlint.__file__).parent / path).read_text()))
    ours = {one for versions in ENGINE_VERSIONS.values() for one in versions}
    assert ours <= listed
    newer = {one for one in listed - ours if re.fullmatch(r"[5-9]\.[0-9.]+", one)}
    assert not [one for one in newer if not one.startswith("5.0.")]


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
