"""botocore knows every Region's partition, but takes too long to ask at start-up."""

import botocore.session

from opsctl.config.partitions import partition


def test_every_region_that_has_a_partition_here_has_the_same_one_in_botocore() -> None:
    session = botocore.session.get_session()
    for name in session.get_available_partitions():
        for region in session.get_available_regions("ec2", partition_name=name):
            assert partition(region) in (name, None)


def test_the_regions_that_most_people_have_are_known() -> None:
    session = botocore.session.get_session()
    for name in ("aws", "aws-cn", "aws-us-gov"):
        regions = session.get_available_regions("ec2", partition_name=name)
        assert regions and {partition(region) for region in regions} == {name}


def test_what_is_no_region_has_no_partition() -> None:
    assert partition("*") is None
