"""What an instance type holds: vCPUs, memory, architecture, computed from family and size.

Sources: https://aws.amazon.com/ec2/instance-types/ (sizes and families); ECS developer guide,
"Reserving Amazon ECS Linux container instance memory" (less is registered than installed).
"""

from dataclasses import dataclass
from typing import Literal

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
_SINGLE = ("nano", "micro", "small")
_SIZES = {"medium": 1, "large": 2, "xlarge": 4, "2xlarge": 8, "3xlarge": 12, "4xlarge": 16} | {
    f"{count}xlarge": 4 * count for count in (6, 8, 9, 12, 16, 18, 24, 32, 48)
}
_X86 = "c5 c5a c6a c6i c7a c7i m4 m5 m5a m6a m6i m7a m7i r5 r5a r6a r6i r7a r7i c8i m8i r8i"
_ARM = "c6g c6gn c7g c7gn c8g m6g m7g m8g r6g r7g r8g"
_GIB_FOR_VCPU = {"c": 2, "m": 4, "r": 8}
# Share of the memory that the agent registers: kernel and crash dump take 6-8 %.
_REGISTERED = 0.92


@dataclass(frozen=True, slots=True)
class InstanceType:
    """`cpu` in ECS CPU units (1024 per vCPU), `memory` in MiB as the agent registers it."""

    name: str
    cpu: int
    memory: int
    architecture: Architecture

    def holds(self, cpu: int, memory: int) -> int:
        """Return how many tasks of this size fit."""
        return min(self.cpu // cpu, self.memory // memory)


def find(name: str) -> InstanceType | None:
    """Return the type, or None when this table does not know it."""
    family, _, size = name.partition(".")
    if family in ("t2", "t3", "t3a", "t4g") and size in _BURSTABLE:
        vcpu, gib = _BURSTABLE[size]
        if family == "t2" and size in _SINGLE:
            vcpu = 1
        return _instance(name, vcpu, gib, "arm64" if family == "t4g" else "x86_64")
    known = _X86.split() + _ARM.split()
    if family not in known or size not in _SIZES:
        return None
    vcpu = _SIZES[size]
    gib = vcpu * _GIB_FOR_VCPU[family[0]]
    return _instance(name, vcpu, gib, "arm64" if family in _ARM.split() else "x86_64")


def _instance(name: str, vcpu: int, gib: float, architecture: Architecture) -> InstanceType:
    return InstanceType(name, vcpu * _CPU_UNITS, int(gib * 1024 * _REGISTERED), architecture)
