"""What ministack calls an instance profile; the sandbox's is in cloudformation/test_drift.py."""


def test_ministack_still_has_its_arn_for_a_physical_id() -> None:
    # This process never runs the sandbox's server, so ministack is as it comes.
    from ministack.services.cloudformation import provisioners

    create = provisioners._RESOURCE_HANDLERS["AWS::IAM::InstanceProfile"]["create"]
    assert create("Profile", {"InstanceProfileName": "one"}, "stack")[0].startswith("arn:")
