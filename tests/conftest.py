"""For every test: hypothesis measures no wall time, because a busy machine is no slow program, and
no variable of AWS comes from outside.
"""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# What somebody exported to work with a sandbox or an account is nothing for tests.
for _name in [one for one in os.environ if one.startswith("AWS_")]:
    del os.environ[_name]
settings.register_profile("opsctl", deadline=None)
settings.load_profile("opsctl")

HERE = Path(__file__).parent
PLAYED = [HERE / "end_to_end", HERE / "hostile", HERE / "opsctl_sandbox" / "process"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that play whole systems: the last worker should not end alone with one.

    pytest-xdist would put the files with the fewest tests last, and these are the longest.
    """
    items.sort(key=lambda item: not any(map(item.path.is_relative_to, PLAYED)))
