"""Lists in pages: what ministack gives whole, still, and what the sandbox answers instead."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from opsctl_sandbox.wire import models
from tests.opsctl_sandbox.clients import Connect

Seed = Callable[[Any, str], None]


def repositories(ecr: Any, name: str) -> None:
    for number in range(3):
        ecr.create_repository(repositoryName=f"{name}-{number}")


def images(ecr: Any, name: str) -> None:
    ecr.create_repository(repositoryName=name)
    for number in range(3):
        ecr.put_image(repositoryName=name, imageManifest=f"[{number}]", imageTag=str(number))


def target_groups(elbv2: Any, name: str) -> None:
    for number in range(3):
        elbv2.create_target_group(
            Name=f"{name}-{number}", Protocol="TCP", Port=80, VpcId="vpc-00000001"
        )


def load_balancers(elbv2: Any, name: str) -> None:
    for number in range(3):
        elbv2.create_load_balancer(
            Name=f"{name}-{number}", Subnets=["subnet-0000000a", "subnet-0000000b"]
        )


LISTS: list[tuple[str, Seed, str, dict[str, Any]]] = [
    ("ecr", repositories, "describe_repositories", {}),
    ("ecr", images, "describe_images", {"repositoryName": "NAME"}),
    ("ecr", images, "list_images", {"repositoryName": "NAME"}),
    ("elbv2", target_groups, "describe_target_groups", {}),
    ("elbv2", load_balancers, "describe_load_balancers", {}),
]


@pytest.mark.parametrize(("service", "seed", "operation", "parameters"), LISTS)
def test_a_list_comes_in_pages_that_are_the_whole(
    connect: Connect,
    plain: Connect,
    unique: str,
    service: str,
    seed: Seed,
    operation: str,
    parameters: dict[str, Any],
) -> None:
    client = connect(service)
    seed(client, unique)
    parameters = {key: unique if value == "NAME" else value for key, value in parameters.items()}

    def pages(one: Any, size: int) -> list[list[Any]]:
        paginator = one.get_paginator(operation)
        (member,) = [key.expression for key in paginator.result_keys][:1]
        found = paginator.paginate(**parameters, PaginationConfig={"PageSize": size})
        return [page[member] for page in found]

    (whole,) = pages(client, 50)
    singles = [[one] for one in whole]
    assert len(whole) >= 3
    assert pages(plain(service), 1) != singles
    assert pages(client, 1) == singles


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "code"),
    [
        ("ecr", "describe_repositories", {"nextToken": "junk"}, "InvalidParameterException"),
        ("ecr", "describe_repositories", {"maxResults": 1001}, "InvalidParameterException"),
        ("elbv2", "describe_listeners", {"Marker": "junk"}, "ValidationError"),
        ("elasticache", "describe_cache_clusters", {"Marker": "junk"}, "InvalidParameterValue"),
        ("logs", "describe_log_groups", {"nextToken": "junk"}, "InvalidParameterException"),
    ],
)
def test_a_foreign_token_is_refused(
    connect: Connect, plain: Connect, service: str, operation: str, parameters: Any, code: str
) -> None:
    getattr(plain(service), operation)(**parameters)
    with pytest.raises(ClientError) as caught:
        getattr(connect(service), operation)(**parameters)

    assert caught.value.response["Error"]["Code"] == code


def test_an_image_that_is_not_there_is_an_error(
    connect: Connect, plain: Connect, unique: str
) -> None:
    images(connect("ecr"), unique)
    parameters = {"repositoryName": unique, "imageIds": [{"imageTag": "ghost"}]}

    assert plain("ecr").describe_images(**parameters)["imageDetails"] == []
    with pytest.raises(ClientError) as caught:
        connect("ecr").describe_images(**parameters)
    assert caught.value.response["Error"]["Code"] == "ImageNotFoundException"


def test_images_are_chosen_by_having_a_tag(connect: Connect, plain: Connect, unique: str) -> None:
    images(connect("ecr"), unique)
    parameters = {"repositoryName": unique, "filter": {"tagStatus": "UNTAGGED"}}

    assert len(plain("ecr").describe_images(**parameters)["imageDetails"]) == 3
    assert connect("ecr").describe_images(**parameters)["imageDetails"] == []


def test_a_target_group_that_is_not_there_is_an_error(connect: Connect, plain: Connect) -> None:
    assert plain("elbv2").describe_target_groups(Names=["ghost"])["TargetGroups"] == []
    with pytest.raises(ClientError) as caught:
        connect("elbv2").describe_target_groups(Names=["ghost"])
    assert caught.value.response["Error"]["Code"] == "TargetGroupNotFound"


def test_streams_by_prefix_have_no_order_of_their_last_event(
    connect: Connect, plain: Connect, unique: str
) -> None:
    connect("logs").create_log_group(logGroupName=unique)
    parameters = {"logGroupName": unique, "orderBy": "LastEventTime", "logStreamNamePrefix": "a"}

    plain("logs").describe_log_streams(**parameters)
    with pytest.raises(ClientError, match="Cannot order by LastEventTime"):
        connect("logs").describe_log_streams(**parameters)


def test_account_settings_are_those_that_ecs_has(connect: Connect, plain: Connect) -> None:
    names = models.values("ecs", "SettingName")
    listed = plain("ecs").list_account_settings(effectiveSettings=True)["settings"]
    assert not {one["name"] for one in listed} <= names
    [*settings] = connect("ecs").list_account_settings(effectiveSettings=True)["settings"]
    assert settings and {one["type"] for one in settings} == {"aws_managed"}
