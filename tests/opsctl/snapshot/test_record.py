import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from opsctl.snapshot.record import from_json, to_json
from opsctl.snapshot.snapshot import Snapshot
from opsctl.snapshot.stacks import StackState
from tests.opsctl.snapshots import NAMES, NEW, deployment, snapshot

# The values are typed, so hypothesis can make any snapshot there is; a Mapping is a dict.
TEXTS = st.dictionaries(st.text(max_size=5), st.text(max_size=9), max_size=2)
STATES = st.builds(StackState, outputs=TEXTS, parameters=TEXTS, tags=TEXTS)
SNAPSHOTS = st.builds(
    Snapshot,
    names=st.just(NAMES),
    stacks=st.dictionaries(st.sampled_from(["db", "ecs"]), STATES, max_size=2),
    lines=st.dictionaries(st.text(max_size=5), st.tuples(st.text()), max_size=2),
)


@settings(max_examples=30, deadline=None)
@given(SNAPSHOTS)
def test_a_snapshot_goes_to_json_and_comes_back(made: Snapshot) -> None:
    written = to_json(made)
    assert to_json(from_json(json.loads(json.dumps(written)))) == written


def test_without_secrets_it_comes_back_as_it_was() -> None:
    made = snapshot(deployment("d1", NEW))
    assert from_json(json.loads(json.dumps(to_json(made)))) == made


def test_an_unknown_field_of_a_newer_opsctl_is_left_out() -> None:
    value: dict[str, Any] = {**to_json(snapshot()), "weather": "fine"}
    assert from_json(value) == snapshot()
