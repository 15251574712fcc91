import os
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from opsctl import templates
from opsctl.config.model import Config
from opsctl.errors import TemplateError

CONFIG = Config.model_validate({"name": "example", "network": {"vpc": "v", "subnets": ["s"]}})


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
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder in place of /tmp, and an environment that is made anew in it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    templates._environment.cache_clear()
    yield tmp_path
    templates._environment.cache_clear()


def test_a_compiled_template_is_kept_for_the_next_start(temporary: Path) -> None:
    text = templates.render("ecr.yaml.j2", config=CONFIG, imports=())
    (folder,) = temporary.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert list(folder.iterdir())
    templates._environment.cache_clear()
    assert templates.render("ecr.yaml.j2", config=CONFIG, imports=()) == text


def test_a_folder_that_is_not_ours_alone_keeps_no_template(temporary: Path) -> None:
    (temporary / f"_jinja2-cache-{os.getuid()}").write_text("somebody else's")
    assert templates.render("ecr.yaml.j2", config=CONFIG, imports=())


def test_a_folder_that_vanishes_or_is_full_stops_no_rendering(temporary: Path) -> None:
    templates._environment()
    (temporary / f"_jinja2-cache-{os.getuid()}").rmdir()
    assert templates.render("ecr.yaml.j2", config=CONFIG, imports=())
