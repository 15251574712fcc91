"""Read how old the machine images (AMIs) of the instances are."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_ec2.client import EC2Client


@dataclass(frozen=True, slots=True)
class MachineImage:
    id: str
    name: str = ""
    created: datetime | None = None


def read(ec2: "EC2Client", ids: Iterable[str]) -> tuple[MachineImage, ...]:
    """Return those that are still public; AWS withdraws old ones."""
    wanted = sorted(set(filter(None, ids)))
    if not wanted:
        return ()
    described = ec2.describe_images(Filters=[{"Name": "image-id", "Values": wanted}])["Images"]
    return tuple(
        MachineImage(
            image.get("ImageId", ""), image.get("Name", ""), _time(image.get("CreationDate", ""))
        )
        for image in described
        if image.get("ImageId") in wanted
    )


def _time(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
