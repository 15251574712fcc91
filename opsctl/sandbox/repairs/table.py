"""Every repaired operation; `docs/sandbox.md` lists them, a test compares the two."""

from opsctl.sandbox.calls import Operations
from opsctl.sandbox.repairs import ecr, logs


def operations(registry: str, counted: logs.Counted) -> Operations:
    """`registry` answers `/v2/`; `counted` is told of log events that came in."""
    return {**logs.operations(counted), **ecr.operations(registry)}
