from datetime import timedelta

import pytest

from opsctl import templates
from opsctl.errors import TemplateError


def test_an_undefined_name_is_an_error_with_file_and_line() -> None:
    with pytest.raises(TemplateError, match=r"^db\.yaml\.j2:\d+: 'config' is undefined$"):
        templates.render("db.yaml.j2")


def test_a_template_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(TemplateError, match="there is no template `nothing.j2`"):
        templates.render("nothing.j2")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (timedelta(minutes=15), "PT15M"),
        (timedelta(hours=2), "PT2H"),
        (timedelta(seconds=90), "PT90S"),
    ],
)
def test_durations_are_cloudformations(value: timedelta, text: str) -> None:
    template = templates._environment().from_string("{{ value | iso }}")
    assert template.render(value=value) == text
