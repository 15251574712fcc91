"""Every repaired operation; `docs/sandbox.md` lists them, a test compares the two."""

from opsctl.sandbox.calls import Operations
from opsctl.sandbox.repairs import ecr, logs


def operations(registry: str) -> Operations:
    return {**logs.OPERATIONS, **ecr.operations(registry)}
