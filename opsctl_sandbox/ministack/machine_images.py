"""Amazon's machine images for ECS, with ids in public parameters, renewed about once a week."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from ministack.services import ec2, ssm

from opsctl_sandbox.ministack import records
from opsctl_sandbox.wire.calls import Call, Forward, Operations, Refused, Structure

# Parameter below /aws/service/ecs/optimized-ami/ -> (architecture, first image, operating system).
_FAMILIES: Mapping[str, tuple[str, str, str]] = {
    "amazon-linux-2023": ("x86_64", "ami-0ec52023000000001", "Amazon Linux 2023"),
    "amazon-linux-2023/arm64": ("arm64", "ami-0ec52023000000002", "Amazon Linux 2023"),
    "amazon-linux-2": ("x86_64", "ami-0ec52018000000001", "Amazon Linux 2"),
}
_NAMES = {
    "amazon-linux-2023": "al2023-ami-ecs-hvm-2023.0.{day:%Y%m%d}-kernel-6.1-x86_64",
    "amazon-linux-2023/arm64": "al2023-ami-ecs-hvm-2023.0.{day:%Y%m%d}-kernel-6.1-arm64",
    "amazon-linux-2": "amzn2-ami-ecs-hvm-2.0.{day:%Y%m%d}-x86_64-ebs",
}
_AMAZON = "591542846629"
_AGENT = "1.108.3"


@dataclass(frozen=True)
class MachineImage:
    id: str
    name: str
    architecture: str
    created: datetime


class MachineImages:
    """Amazon's images. The first one of each family is a week old."""

    def __init__(self) -> None:
        self.images: dict[str, MachineImage] = {}
        self._published = 0
        week = datetime.now(UTC) - timedelta(days=7)
        for family, (_, identifier, _) in _FAMILIES.items():
            self._add(family, identifier, week)

    def publish(self, family: str = "amazon-linux-2023") -> MachineImage:
        """Add an image, which the family's parameter names from now on. Raises ValueError."""
        if family not in _FAMILIES:
            raise ValueError(f"no such family of images: {family}; there are {list(_FAMILIES)}")
        first = _FAMILIES[family][1]
        # Ids of one family differ in their last digits.
        self._published += 1
        number = self._published + 0x100
        return self._add(family, f"{first[:-9]}{number:09x}", datetime.now(UTC))

    def exists(self, identifier: str) -> bool:
        return identifier in self.images or records.find(ec2._images, identifier) is not None

    def withdraw(self, identifier: str) -> None:
        """Remove an image, as its owner may. Raises ValueError."""
        if self.images.pop(identifier, None) is None:
            raise ValueError(f"no such image: {identifier}; there are {list(self.images)}")

    def page(self, body: Any) -> Any:
        """Answer the page:

        `{"publish": "amazon-linux-2023"}` adds an image, `{"withdraw": "ami-…"}` removes one; all
        images are listed.
        """
        if body is not None and "withdraw" in body:
            self.withdraw(str(body["withdraw"]))
        elif body is not None:
            self.publish(str(body["publish"]))
        return [
            {"id": image.id, "name": image.name, "architecture": image.architecture}
            for image in self.images.values()
        ]

    def operations(self) -> Operations:
        return {("ec2", "DescribeImages"): self._describe}

    def _add(self, family: str, identifier: str, created: datetime) -> MachineImage:
        architecture, _, system = _FAMILIES[family]
        image = MachineImage(identifier, _NAMES[family].format(day=created), architecture, created)
        self.images[identifier] = image
        top = f"/aws/service/ecs/optimized-ami/{family}/recommended"
        everything = {
            "ecs_agent_version": _AGENT,
            "ecs_runtime_version": "Docker version 25.0.13",
            "image_id": identifier,
            "image_name": image.name,
            "os": system,
            "schema_version": 1,
        }
        ssm._PUBLIC_AMI_PARAMETERS |= {
            f"{top}/image_id": identifier,
            f"{top}/image_name": image.name,
            top: json.dumps(everything),
        }
        return image

    async def _describe(self, call: Call, ministack: Forward) -> Structure:
        """Answer with Amazon's ECS images and those of ministack; an unknown id is refused."""
        request = call.parameters
        wanted = list(request.get("ImageIds") or ())
        foreign = [one for one in wanted if one not in self.images]
        answer: dict[str, Any] = {"Images": []}
        if foreign or not wanted:
            passed = {**request, "ImageIds": foreign} if wanted else request
            answer = await ministack(passed)
            _require_images(foreign, answer.get("Images", ()))
        mine = [
            _described(image, call.region)
            for image in self.images.values()
            if (not wanted or image.id in wanted) and _passes(image, request)
        ]
        return {**answer, "Images": [*answer.get("Images", ()), *mine]}


def _require_images(wanted: list[str], described: Sequence[Structure]) -> None:
    if malformed := [one for one in wanted if not one.startswith("ami-")]:
        sentence = f'Invalid id: "{malformed[0]}" (expecting "ami-...")'
        raise Refused("InvalidAMIID.Malformed", sentence)
    known = {one["ImageId"] for one in described}
    if missing := [one for one in wanted if one not in known]:
        sentence = f"The image id '[{', '.join(missing)}]' does not exist"
        raise Refused("InvalidAMIID.NotFound", sentence)


def _passes(image: MachineImage, request: Structure) -> bool:
    owners = request.get("Owners") or ()
    if owners and not {"amazon", _AMAZON}.intersection(owners):
        return False
    fields = {
        "image-id": image.id,
        "name": image.name,
        "architecture": image.architecture,
        "owner-alias": "amazon",
        "owner-id": _AMAZON,
        "state": "available",
        "image-type": "machine",
        "virtualization-type": "hvm",
        "root-device-type": "ebs",
    }
    return all(
        any(fnmatchcase(fields.get(one["Name"], ""), value) for value in one.get("Values", ()))
        for one in request.get("Filters") or ()
    )


def _described(image: MachineImage, region: str) -> dict[str, Any]:
    return {
        "ImageId": image.id,
        "Name": image.name,
        "Architecture": image.architecture,
        "CreationDate": f"{image.created:%Y-%m-%dT%H:%M:%S}.000Z",
        "Description": f"Amazon Linux AMI with the ECS agent {_AGENT}",
        "ImageLocation": f"amazon/{image.name}",
        "ImageOwnerAlias": "amazon",
        "ImageType": "machine",
        "OwnerId": _AMAZON,
        "Public": True,
        "RootDeviceName": "/dev/xvda",
        "RootDeviceType": "ebs",
        "State": "available",
        "VirtualizationType": "hvm",
        "BlockDeviceMappings": [
            {
                "DeviceName": "/dev/xvda",
                "Ebs": {"VolumeSize": 30, "VolumeType": "gp3", "DeleteOnTermination": True},
            }
        ],
    }
