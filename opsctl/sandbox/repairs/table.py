"""Every repaired operation; `docs/sandbox.md` lists them, a test compares the two."""

from opsctl.sandbox.calls import Operations
from opsctl.sandbox.repairs import logs

OPERATIONS: Operations = {**logs.OPERATIONS}
