"""All corrected operations. `docs/sandbox.md` lists them, and a test compares the two."""

from opsctl_sandbox.ministack.repairs import (
    change_sets,
    early_validation,
    ecr,
    insights,
    lists,
    logs,
    metrics,
    network_attributes,
    parameters,
    refusals,
    roles,
    simulated_policies,
)
from opsctl_sandbox.wire.calls import Operations


def operations(registry: str, password: str, counted: logs.Counted) -> Operations:
    """`registry` answers `/v2/` with `password`; `counted` is called for received log events."""
    return {
        **change_sets.OPERATIONS,
        **early_validation.OPERATIONS,
        **ecr.operations(registry, password),
        **insights.operations(),
        **lists.OPERATIONS,
        **logs.operations(counted),
        **metrics.OPERATIONS,
        **network_attributes.OPERATIONS,
        **parameters.OPERATIONS,
        **refusals.OPERATIONS,
        **roles.OPERATIONS,
        **simulated_policies.OPERATIONS,
    }
