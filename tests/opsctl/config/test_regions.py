"""botocore knows every Region, but takes too long to ask at start-up."""

import botocore.session

from opsctl.config.regions import REGIONS, partition


def test_the_regions_and_their_partitions_are_those_of_botocore() -> None:
    session = botocore.session.get_session()
    for name in session.get_available_partitions():
        regions = session.get_available_regions("elasticache", partition_name=name)
        assert {one for one in REGIONS if partition(one) == name} == {*regions}


def test_what_is_no_region_has_no_partition() -> None:
    assert partition("*") is None
    assert partition("us-esat-1") is None
