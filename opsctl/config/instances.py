"""What an instance type holds: vCPUs, memory, architecture, computed from family and size.

Sources: https://aws.amazon.com/ec2/instance-types/ (families and their memory); botocore's enum of
instance types, which a test compares with the sizes here; ECS developer guide, "Reserving Amazon
ECS Linux container instance memory" (less is registered than installed).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from opsctl.plural import counted

Architecture = Literal["x86_64", "arm64"]
_CPU_UNITS = 1024

# (vCPUs, GiB) of the burstable sizes; the small t2 sizes have a single vCPU.
_BURSTABLE = {
    "nano": (2, 0.5),
    "micro": (2, 1),
    "small": (2, 2),
    "medium": (2, 4),
    "large": (2, 8),
    "xlarge": (4, 16),
    "2xlarge": (8, 32),
}
_BURSTABLE_FAMILIES = ("t2", "t3", "t3a", "t4g")
_SINGLE = ("nano", "micro", "small")
_SMALL = {"medium": 1, "large": 2, "xlarge": 4}
# Families -> their sizes; a number is that many times an xlarge.
_SIZES = {
    "m4": "large xlarge 2 4 10 16",
    "c5 c5d": "large xlarge 2 4 9 12 18 24",
    "c5a m5 m5a m5d r5 r5a r5d": "large xlarge 2 4 8 12 16 24",
    "c6i c6id m6i m6id r6i r6id": "large xlarge 2 4 8 12 16 24 32",
    "c6a m6a r6a": "large xlarge 2 4 8 12 16 24 32 48",
    "c7a m7a r7a": "medium large xlarge 2 4 8 12 16 24 32 48",
    "c7i m7i r7i": "large xlarge 2 4 8 12 16 24 48",
    "c8i m8i r8i": "large xlarge 2 4 8 12 16 24 32 48 96",
    "c6g c6gd c6gn m6g m6gd r6g r6gd": "medium large xlarge 2 4 8 12 16",
    "c7g c7gd c7gn m7g m7gd r7g r7gd": "medium large xlarge 2 4 8 12 16",
    "c8g c8gd m8g m8gd r8g r8gd": "medium large xlarge 2 4 8 12 16 24 48",
}
_GIB_FOR_VCPU = {"c": 2, "m": 4, "r": 8}
_NEW = re.compile(r"gr?6.*|p[56].*|inf2|i4g|trn2.*|f2|dl2q")  # accelerated ones of 2023 and later
# A g behind the generation is AWS's own ARM processor; a1 was the first.
_ARM = re.compile(r"a1|[a-z]+[0-9]+g.*")
# Dedicated hosts only, and machines that Amazon Linux 2023 does not start on.
_NEVER = re.compile(r"mac.*|[tm]1|m2|c1|cc2|cg1|cr1|hi1|hs1")
# Every type that EC2 has, a line for each family; `make docs` writes it from botocore's list.
OFFERED = Path(__file__).with_name("instance_types.txt")
# Share of the memory that the agent registers: kernel and crash dump take 6-8 %.
_REGISTERED = 0.92


@dataclass(frozen=True, slots=True)
class InstanceType:
    """`cpu` in ECS CPU units (1024 per vCPU), `memory` in MiB as the agent registers it."""

    name: str
    cpu: int
    memory: int

    def holds(self, cpu: int, memory: int) -> int:
        """Return how many tasks of this size fit."""
        return min(self.cpu // cpu, self.memory // memory)


def find(name: str) -> InstanceType | None:
    """Return the type, or None when this table does not know it."""
    family, _, size = name.partition(".")
    capacity = dict(_capacities(family)).get(size)
    if capacity is None:
        return None
    vcpu, gib = capacity
    memory = int(gib * 1024 * _REGISTERED)
    return InstanceType(name, vcpu * _CPU_UNITS, memory)


def architecture(name: str) -> Architecture:
    """Return the architecture of any type, which its family's name tells."""
    return "arm64" if _ARM.fullmatch(name.partition(".")[0]) else "x86_64"


def is_too_new(name: str) -> bool:
    """Return whether launch configurations do not take the type: its family is of 2023 or later.

    Source: https://docs.aws.amazon.com/autoscaling/ec2/userguide/launch-configurations.html
    """
    family = name.partition(".")[0]
    generation = re.match(r"[a-z]+([0-9]+)", family)
    if generation is None or family == "c7g":
        return False
    return int(generation[1]) >= 7 or _NEW.fullmatch(family) is not None


def sizes(minimum: int, maximum: int, desired: int | None = None) -> str:
    """Return a group's sizes in words, without the desired one when it belongs to ECS."""
    bounds = f"{minimum} to {maximum}"
    return (
        f"{bounds} instances" if desired is None else f"{counted(desired, 'instance')} ({bounds})"
    )


def offered() -> tuple[str, ...]:
    """Return every type that instances of a stack can have, also those of unknown capacity."""
    rows = (line.split() for line in OFFERED.read_text().splitlines())
    return tuple(
        f"{family}.{size}"
        for family, *sizes in rows
        if not _NEVER.fullmatch(family)
        for size in sizes
    )


def _capacities(family: str) -> Iterator[tuple[str, tuple[int, float]]]:
    """Yield each size of a family with its vCPUs and GiB."""
    if family in _BURSTABLE_FAMILIES:
        for size, (vcpu, gib) in _BURSTABLE.items():
            yield size, (1 if family == "t2" and size in _SINGLE else vcpu, gib)
    for families, sizes in _SIZES.items():
        for size in sizes.split() if family in families.split() else ():
            vcpu = _SMALL.get(size) or 4 * int(size)
            name = size if size in _SMALL else f"{size}xlarge"
            yield name, (vcpu, vcpu * _GIB_FOR_VCPU[family[0]])
