from pathlib import Path

import jsonschema
import pytest

from opsctl.config import document
from opsctl.config.schema import schema

EXAMPLE = Path(__file__).parents[3] / "opsctl.example.yaml"
VALIDATOR = jsonschema.Draft202012Validator(schema())


def test_the_example_fits_the_schema() -> None:
    VALIDATOR.validate(document.read(EXAMPLE).data)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("db", {"node_typ": "x"}),
        ("compute", {"cooldown": "5"}),
        ("compute", {"health_check": "ELB"}),
        ("environments", {"blue": {"db": {"node_typ": "x"}}}),
        ("environments", {"Blue": {}}),
        ("environment", "blue"),
    ],
)
def test_an_editor_sees_a_wrong_key(key: str, value: object) -> None:
    data = {**document.read(EXAMPLE).data, key: value}
    assert list(VALIDATOR.iter_errors(data))
