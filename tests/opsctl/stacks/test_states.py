from dataclasses import replace
from typing import Any

import botocore.session
import pytest

from opsctl.errors import OpsError
from opsctl.stacks import states
from tests.opsctl.snapshots import NAMES, stack


def test_a_status_is_said_with_its_meaning() -> None:
    words = states.in_words(stack("db", "ROLLBACK_COMPLETE"))
    assert words.startswith("`web-db` is ROLLBACK_COMPLETE: the first creation failed")
    assert states.in_words(stack("db", "CREATE_COMPLETE")) == "`web-db` is CREATE_COMPLETE"


def test_every_status_that_cloudformation_has_is_known() -> None:
    model = botocore.session.Session().get_service_model("cloudformation")
    shape: Any = model.shape_for("StackStatus")
    for status in shape.enum:
        state = stack("db", status)
        if state.in_progress:
            assert states.EXPECTED[status].endswith("_COMPLETE"), status
        elif "FAILED" in status or "ROLLBACK" in status or not state.exists:
            assert status in states.MEANING or status == "DELETE_COMPLETE", status


def test_only_what_carries_our_tags_is_ours() -> None:
    states.require_ours(stack("db", "CREATE_COMPLETE"))
    with pytest.raises(OpsError, match="lacks the tag opsctl:name"):
        states.require_ours(stack("db", "CREATE_COMPLETE", tags={"name": "web"}))


@pytest.mark.parametrize(
    ("system", "environment", "tags", "theirs"),
    [
        ("web", "", {"opsctl:name": "web", "opsctl:env": "default"}, ""),
        ("web-b", "b", {"opsctl:name": "web", "opsctl:env": "b"}, ""),
        ("web-b", "b", {"opsctl:name": "web-b", "opsctl:env": "default"}, "`name: web-b`"),
        ("web-b", "", {"opsctl:name": "web", "opsctl:env": "b"}, "`name: web`, environment b"),
        ("web", "", {"somebody": "else"}, ""),
    ],
)
def test_a_name_with_an_environment_is_not_another_system_of_that_name(
    system: str, environment: str, tags: dict[str, str], theirs: str
) -> None:
    # One could take the other one's stacks down.
    foreign = replace(NAMES, system=system, environment=environment).foreign(tags)
    assert theirs in foreign and bool(theirs) is bool(foreign)
    state = replace(stack("db", "CREATE_COMPLETE", tags=tags), foreign=foreign)
    if theirs:
        with pytest.raises(OpsError, match="belongs to another system"):
            states.require_ours(state)
