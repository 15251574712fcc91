from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from opsctl import templates
from opsctl.config.model import Config
from opsctl.errors import TemplateError

CONFIG = Config.model_validate(
    {"name": "example", "network": {"vpc": "vpc-00000001", "subnets": ["subnet-0000000a"]}}
)


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


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where compiled templates are kept, by an environment that is made anew."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    templates._environment.cache_clear()
    yield tmp_path / "opsctl" / "templates"
    templates._environment.cache_clear()


def test_a_compiled_template_is_kept_for_the_next_start(kept: Path) -> None:
    text = templates.render("ecr.yaml.j2", config=CONFIG, imports=())
    assert kept.stat().st_mode & 0o777 == 0o700
    assert list(kept.iterdir())
    templates._environment.cache_clear()
    assert templates.render("ecr.yaml.j2", config=CONFIG, imports=()) == text


def test_where_no_folder_can_be_nothing_is_kept(kept: Path) -> None:
    kept.parent.write_text("a file")
    assert templates.render("ecr.yaml.j2", config=CONFIG, imports=())


def test_a_folder_of_somebody_else_holds_no_code_of_ours(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.getuid", lambda: 12345)
    assert templates.render("ecr.yaml.j2", config=CONFIG, imports=())
    assert not list(kept.iterdir())


def test_a_folder_that_vanishes_or_is_full_stops_no_rendering(kept: Path) -> None:
    templates._environment()
    kept.rmdir()
    assert templates.render("ecr.yaml.j2", config=CONFIG, imports=())
