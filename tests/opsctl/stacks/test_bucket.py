"""A template that is too long for a call goes to a bucket that nobody else can own."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from opsctl.errors import OpsError
from opsctl.stacks import bucket
from tests.opsctl.stacks.fake import refusal

ACCOUNT = "123456789012"


class OwnedByYou(ClientError):
    pass


class S3:
    exceptions = SimpleNamespace(ClientError=ClientError, BucketAlreadyOwnedByYou=OwnedByYou)
    meta = SimpleNamespace(endpoint_url="https://s3.eu-west-1.amazonaws.com")

    def __init__(self, **owners: str) -> None:
        self.owners = owners
        self.made: dict[str, Any] = {}
        self.private: list[str] = []
        self.objects: dict[str, bytes] = {}
        self.quicker = False
        self.refuses = ""
        self.region = ""

    def head_bucket(self, *, Bucket: str, ExpectedBucketOwner: str) -> dict[str, str]:
        owner = self.owners.get(Bucket.replace("-", "_"))
        if owner is None:
            raise refusal("HeadBucket", "404")
        if owner != ExpectedBucketOwner:
            raise refusal("HeadBucket", "403")
        return {"BucketRegion": self.region} if self.region else {}

    def create_bucket(self, **given: Any) -> None:
        if self.quicker:
            raise OwnedByYou({"Error": {"Code": "BucketAlreadyOwnedByYou"}}, "CreateBucket")
        if self.refuses:
            raise refusal("CreateBucket", self.refuses)
        self.made = given

    def put_public_access_block(
        self, *, Bucket: str, PublicAccessBlockConfiguration: Any, ExpectedBucketOwner: str
    ) -> None:
        assert all(PublicAccessBlockConfiguration.values()) and ExpectedBucketOwner == ACCOUNT
        self.private.append(Bucket)

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, **more: str) -> None:
        assert more == {"ServerSideEncryption": "AES256", "ExpectedBucketOwner": ACCOUNT}
        self.objects[f"{Bucket}/{Key}"] = Body


def upload(s3: S3, name: str | None = None, template: bytes = b"Resources: {}") -> str:
    sts = SimpleNamespace(get_caller_identity=lambda: {"Account": ACCOUNT})
    clients = cast(Any, SimpleNamespace(s3=s3, sts=sts, region="eu-west-1"))
    return bucket.upload(clients, name, "web-ecs", template)


def test_our_own_bucket_is_made_in_the_accounts_namespace_and_is_private() -> None:
    s3 = S3()
    url = upload(s3)
    name = f"opsctl-{ACCOUNT}-eu-west-1-an"
    assert s3.made == {
        "Bucket": name,
        "BucketNamespace": "account-regional",
        "CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"},
    }
    assert s3.private == [name]
    [key] = s3.objects
    assert url == f"https://s3.eu-west-1.amazonaws.com/{key}" and key.startswith(f"{name}/opsctl/")


def test_a_bucket_of_the_config_is_used_as_it_is() -> None:
    s3 = S3(mine=ACCOUNT)
    assert "/mine/opsctl/web-ecs/" in upload(s3, "mine")
    assert s3.made == {} and s3.private == []


def test_a_bucket_of_another_region_is_refused_before_cloudformation_gets_a_wrong_address() -> None:
    s3 = S3(mine=ACCOUNT)
    s3.region = "us-east-1"
    with pytest.raises(OpsError, match="`mine` is in us-east-1, and the stacks are in eu-west-1"):
        upload(s3, "mine")
    assert s3.objects == {}


def test_somebody_elses_bucket_is_never_given_a_template() -> None:
    s3 = S3(theirs="210987654321")
    with pytest.raises(OpsError, match="`theirs` belongs to another account"):
        upload(s3, "theirs")
    assert s3.objects == {}


def test_a_second_operator_who_makes_it_first_is_no_failure() -> None:
    s3 = S3()
    s3.quicker = True
    upload(s3)
    assert len(s3.objects) == 1


@pytest.mark.parametrize("code", ["InvalidArgument", "InvalidBucketName", "NotImplemented"])
def test_where_s3_does_not_know_the_namespace_the_config_names_a_bucket(code: str) -> None:
    s3 = S3()
    s3.refuses = code
    with pytest.raises(OpsError, match="in the account's namespace") as caught:
        upload(s3)
    assert caught.value.hint is not None and "`aws.bucket`" in caught.value.hint
    assert s3.objects == {}


def test_a_caller_who_may_not_make_buckets_is_not_sent_elsewhere() -> None:
    s3 = S3()
    s3.refuses = "AccessDenied"
    with pytest.raises(ClientError, match="AccessDenied"):
        upload(s3)


def test_a_template_that_cloudformation_never_takes_is_refused() -> None:
    with pytest.raises(OpsError, match="takes 1,000,000 at most"):
        upload(S3(), template=b"#" * 1_000_001)
