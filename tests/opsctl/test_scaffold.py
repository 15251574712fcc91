"""The directory of a new system, as values."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from opsctl import project, scaffold
from opsctl.config import document, load
from opsctl.config.load import Loaded
from opsctl.errors import OpsError
from opsctl.scaffold import Choices, Written
from opsctl.snapshot.network import Network, Route, Vpc
from opsctl.snapshot.subnets import Subnet

ACCOUNT = Choices(
    "orders",
    "vpc-00000009",
    ("subnet-0000000a", "subnet-0000000b"),
    ("subnet-0000000c", "subnet-0000000d"),
    "eu-west-1",
    "012345678901",
    ("ops",),
)


def loaded(choices: Choices, environment: str | None = None) -> Loaded:
    file = document.parse(scaffold.config(choices), "opsctl.yaml")
    return load.link(file, environment=environment, environ={})


@pytest.mark.parametrize("environment", [None, "staging"])
@pytest.mark.parametrize("choices", [Choices("orders"), ACCOUNT])
def test_the_config_passes_its_check_without_a_warning(
    choices: Choices, environment: str | None
) -> None:
    made = loaded(choices, environment)
    assert (made.config.name, made.warnings) == ("orders", ())


def test_the_config_names_what_was_chosen() -> None:
    config = loaded(ACCOUNT).config
    assert (config.aws.account, config.aws.region) == ("012345678901", "eu-west-1")
    assert (config.network.vpc, config.network.subnets) == (
        "vpc-00000009",
        ["subnet-0000000a", "subnet-0000000b"],
    )
    assert config.network.load_balancer_subnets == ["subnet-0000000c", "subnet-0000000d"]
    assert config.secrets.values == {"refresh_token": "ssm:/orders/refresh_token"}


def test_a_system_of_the_sandbox_refers_to_what_every_sandbox_has() -> None:
    config = loaded(Choices("orders")).config
    assert config.aws.account is None
    assert config.secrets.values == {"refresh_token": "ssm:/example/refresh_token"}


def test_every_key_keeps_its_comment() -> None:
    example = (project.FOLDER / "opsctl.example.yaml").read_text()
    comments = set(re.findall(r"# .+", example))
    lost = comments - set(re.findall(r"# .+", scaffold.config(Choices("orders"))))
    assert len(lost) == 2 and all(
        "opsctl.yaml and delete" in one or "change" in one for one in lost
    )


def test_the_directory_holds_all_that_the_image_is_built_from(tmp_path: Path) -> None:
    list(scaffold.write(tmp_path, scaffold.files(Choices("orders"))))
    dockerfile = (tmp_path / "Dockerfile").read_text()
    copied = re.findall(r"^COPY (\S+) ", dockerfile, re.MULTILINE)
    assert copied == ["requirements/service.txt", "service", "${CADDYFILE}"]
    assert "AS opsctl" not in dockerfile
    for name in copied[:2]:
        assert (tmp_path / name).exists()
    assert not list(tmp_path.rglob("*.pyc"))
    ignored = (tmp_path / ".gitignore").read_text().split()
    assert {"/Caddyfile", ".secrets.yml", ".opsctl/"} <= set(ignored)


def test_the_service_is_there_whole_whatever_its_files_are_called() -> None:
    # The scripts of Redis were left out, and the first release rolled back.
    service = project.FOLDER / "service"
    whole = {
        f"service/{path.relative_to(service).as_posix()}"
        for path in service.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    written = {name for name in scaffold.files(ACCOUNT) if name.startswith("service/")}
    assert written == whole and any(name.endswith(".lua") for name in whole)


def test_nothing_is_overwritten_and_no_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "opsctl.yaml").write_text("mine")
    (tmp_path / "Dockerfile").symlink_to(tmp_path / "elsewhere")
    contents = {"opsctl.yaml": "new", "Dockerfile": "new", "service/a.py": "new"}
    assert list(scaffold.write(tmp_path, contents)) == [
        Written(tmp_path / "opsctl.yaml", kept=True),
        Written(tmp_path / "Dockerfile", kept=True),
        Written(tmp_path / "service/a.py"),
    ]
    assert (tmp_path / "opsctl.yaml").read_text() == "mine"
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_in_the_place_of_a_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "service").touch()
    with pytest.raises(OpsError, match=r"service/a.py` cannot be written"):
        list(scaffold.write(tmp_path, {"service/a.py": ""}))


@pytest.mark.parametrize(
    ("directory", "name"),
    [
        ("orders", "orders"),
        ("Orders.API v2", "orders-api-v2"),
        ("2024-orders", "orders"),
        ("a-very-long-directory-name", "a-very-long-director"),
        ("nineteen-letters-ab-c", "nineteen-letters-ab"),
        ("…", ""),
        ("a", ""),
    ],
)
def test_a_name_is_made_of_the_directory(directory: str, name: str) -> None:
    assert scaffold.system_name(directory) == name


PUBLIC = [Subnet(f"public-{zone}", "vpc", zone, public=True) for zone in "abcd"]
PRIVATE = [Subnet(f"private-{zone}", "vpc", zone) for zone in "ab"]
LOST = [Subnet("lost", "vpc", "a"), Subnet("other", "vpc-00000002", "a", public=True)]
ROUTES: dict[str, Route] = {one.id: "internet" for one in PUBLIC}
ROUTES |= {one.id: "nat" for one in PRIVATE}
NETWORK = Network((Vpc("vpc"),), (*PUBLIC, *PRIVATE, *LOST), ROUTES)


def test_instances_go_to_private_subnets_with_a_way_out_and_the_load_balancer_faces_out() -> None:
    chosen = scaffold.suggested(NETWORK, "vpc")
    assert [one.id for one in chosen] == ["private-a", "private-b", "public-c"]
    assert [one.id for one in scaffold.facing(NETWORK, chosen)] == [
        "public-a", "public-b", "public-c",
    ]  # fmt: skip


def test_public_subnets_serve_both() -> None:
    network = replace(NETWORK, subnets=tuple(PUBLIC))
    chosen = scaffold.suggested(network, "vpc")
    assert [one.zone for one in chosen] == ["a", "b", "c"]
    assert scaffold.facing(network, chosen) == ()


def test_a_public_subnet_without_public_addresses_is_not_suggested() -> None:
    network = replace(NETWORK, subnets=tuple(replace(one, public=False) for one in PUBLIC))
    assert scaffold.suggested(network, "vpc") == ()
