import shutil
from pathlib import Path
from typing import Any

import pytest

from opsctl.errors import TemplateError
from opsctl.images import check
from opsctl.images.check import Facts

ROOT = Path(__file__).parents[3]
GOOD = """\
:80 {
    redir / /health.txt
}
:8082 {
    transformrequest
    redis cache.example:6379 fallback
    transformresponse
}
"""


def test_the_services_own_parser_says_what_is_in_it(tmp_path: Path) -> None:
    file = tmp_path / "Caddyfile"
    file.write_text(GOOD)
    assert check.read(file, directory=ROOT) == Facts(frozenset({80, 8082}), ("cache.example:6379",))


def test_a_refusal_carries_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / "Caddyfile"
    file.write_text(GOOD.replace("redir", "redirr"))
    with pytest.raises(TemplateError, match=rf"{file}:2 - "):
        check.read(file, directory=ROOT)


def test_a_refusal_names_the_file_that_people_edit(tmp_path: Path) -> None:
    file = tmp_path / "Caddyfile.new"
    file.write_text(GOOD.replace("redir", "redirr"))
    with pytest.raises(TemplateError, match="Caddyfile: Caddyfile_template:2 - Unknown directive"):
        check.read(file, directory=ROOT, source="Caddyfile_template")


def test_without_the_service_nothing_is_claimed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "bin"
    package.mkdir()
    python = shutil.which("python3")
    assert python is not None
    file = tmp_path / "Caddyfile"
    file.write_text(GOOD)
    # -I: neither the current directory nor PYTHONPATH, as for a tool installed on its own.
    (package / "python").write_text(f'#!/bin/sh\nexec {python} -I "$@"\n')
    (package / "python").chmod(0o755)
    monkeypatch.setattr("sys.executable", str(package / "python"))
    assert check.read(file, directory=tmp_path) is None


@pytest.mark.parametrize(
    ("key", "port"),
    [(":80", 80), ("example.org:8082", 8082), ("http://example.org", 80), ("example.org", 2015)],
)
def test_a_site_listens_where_the_service_would(key: str, port: int) -> None:
    assert check.facts([{"keys": [key], "body": []}]).ports == {port}


def block(*directives: list[Any]) -> dict[str, Any]:
    return {"keys": [":8082"], "body": list(directives)}


def test_a_map_in_the_process_names_no_redis() -> None:
    assert check.facts([block(["redis", "localhost:6379", "testing"])]).redis == ()


def test_what_agrees_gives_no_sentence() -> None:
    found = Facts(frozenset({80, 8082}), ("cache:6379",))
    assert not check.disagreements(found, ports=[80, 8082], container_port=8082, redis="cache:6379")


def test_each_disagreement_is_a_sentence() -> None:
    found = Facts(frozenset({80, 9000}), ("rediss://other:6379",))
    sentences = check.disagreements(
        found, ports=[80, 8082], container_port=8082, redis="cache:6379"
    )
    assert [sentence.partition(",")[0] for sentence in sentences] == [
        "the tasks publish port 8082 (`ecs.ports`)",
        "a site of the Caddyfile listens on 9000",
        "the Caddyfile names Redis at rediss://other:6379",
    ]
