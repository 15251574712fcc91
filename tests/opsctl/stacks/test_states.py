from typing import Any

import botocore.session
import pytest

from opsctl.errors import OpsError
from opsctl.stacks import states
from tests.opsctl.snapshots import stack


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
