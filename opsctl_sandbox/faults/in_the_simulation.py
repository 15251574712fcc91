"""Planned failures over HTTP: `POST /_sandbox/failures` with a list, `GET` to read them.

`POST /_sandbox/clock` with `{"speed": 600}` changes the speed of simulated time.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any, get_args

from opsctl_sandbox.cluster.failures import Failure, Kind
from opsctl_sandbox.simulation import Simulation

_KINDS = get_args(Kind)
_FIELDS = {field.name for field in fields(Failure)}


def read(values: list[Mapping[str, Any]]) -> tuple[Failure, ...]:
    """Parse failures from plain data. Raises ValueError that names what is wrong."""
    return tuple(_one(value) for value in values)


def _one(value: Mapping[str, Any]) -> Failure:
    unknown = set(value) - _FIELDS
    if unknown:
        raise ValueError(f"a failure has no {sorted(unknown)}; it has {sorted(_FIELDS)}")
    if value.get("kind") not in _KINDS:
        raise ValueError(f"{value.get('kind')!r} is not a kind of failure; choose one of {_KINDS}")
    lines = tuple(value.get("log_lines", ()))
    return Failure(**{**value, "log_lines": lines})


def write(failure: Failure) -> dict[str, Any]:
    """Return plain data for JSON; a failure without an end has no `end`."""
    data = asdict(failure)
    if failure.end == float("inf"):
        del data["end"]
    return data


def pages(simulation: Simulation) -> Mapping[str, Callable[[Any], Any]]:
    """Return the pages for `ControlPages`."""

    def failures(body: Any) -> Any:
        world = simulation.world()
        if body is not None:
            simulation.engine.plan_failures(read(body))
        return [write(failure) for failure in world.failures.planned]

    def clock(body: Any) -> Any:
        if body is not None:
            simulation.run_at(float(body["speed"]))
        return {"seconds": simulation.world().now, "speed": simulation.speed}

    return {"/_sandbox/failures": failures, "/_sandbox/clock": clock}
