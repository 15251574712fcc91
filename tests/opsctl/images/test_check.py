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


def read(text: str, directory: Path) -> Facts:
    return check.read(text, directory=directory, name="Caddyfile", source="Caddyfile_template")


def test_the_services_own_parser_says_what_is_in_it(tmp_path: Path) -> None:
    assert read(GOOD, tmp_path) == Facts(frozenset({80, 8082}), ("cache.example:6379",))


def test_a_folder_that_is_not_there_yet_is_empty(tmp_path: Path) -> None:
    assert read(GOOD, tmp_path / "out").ports == {80, 8082}


def test_a_loop_of_links_beside_the_config_is_none_of_its_business(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    assert read(GOOD, tmp_path).ports == {80, 8082}


def test_a_refusal_names_the_line_of_the_file_that_people_edit(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="Caddyfile: Caddyfile_template:2 - Unknown directive"):
        read(GOOD.replace("redir", "redirr"), tmp_path)


def test_nothing_beside_the_config_is_executed_and_nothing_is_written_there(
    tmp_path: Path,
) -> None:
    # C9, C10: somebody's `service.py` or `json.py` was once run, and `Caddyfile.new` written.
    for name in ("service", "json", "yaml"):
        (tmp_path / f"{name}.py").write_text("open('executed', 'w'); raise SystemExit(3)")
    before = sorted(tmp_path.iterdir())
    assert read(GOOD, tmp_path).ports == {80, 8082}
    assert sorted(tmp_path.iterdir()) == before


def test_files_beside_the_config_can_be_imported(tmp_path: Path) -> None:
    (tmp_path / "sites").mkdir()
    (tmp_path / "sites" / "health.conf").write_text(":80 {\n    redir / /health.txt\n}\n")
    assert read("import sites/*.conf\n", tmp_path).ports == {80}


def test_a_service_of_another_version_beside_the_config_is_noticed(tmp_path: Path) -> None:
    assert not check.other_version(tmp_path)
    shutil.copytree(ROOT / "service", tmp_path / "service")
    assert not check.other_version(tmp_path)
    (tmp_path / "service" / "more.py").write_text("")
    assert check.other_version(tmp_path)


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
