"""The Caddyfile as it was meant; nothing is written before it is good."""

from pathlib import Path

import pytest

from opsctl.errors import TemplateError
from opsctl.procedure import Notice, Procedure
from opsctl.releases import make
from opsctl.releases.make import Caddyfile
from tests.opsctl.snapshots import config

TEMPLATE = """\
:80 {
    redir / /health.txt
}
:8082 {
    transformrequest
    redis REDIS_ADDRESS fallback
    transformresponse
}
"""
OUTPUTS = {"RedisEndpoint": "cache.example:6379"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "Caddyfile_template").write_text(TEMPLATE, encoding="utf-8")
    return tmp_path


def filled(root: Path, *settings: str) -> Caddyfile:
    return _drive(root, *settings)[1]


def _drive(root: Path, *settings: str) -> tuple[list[object], Caddyfile]:
    """Return what was yielded on the way, and the Caddyfile."""
    made: list[Caddyfile] = []

    def driven() -> Procedure[None]:
        made.append((yield from make.fill(config(*settings), root, OUTPUTS)))

    return list(driven()), made[0]


def test_a_new_caddyfile_is_filled_checked_and_not_yet_written(root: Path) -> None:
    made = filled(root)
    assert "redis cache.example:6379 fallback" in made.text and made.changed
    assert not made.path.exists()
    made.write()
    assert made.path.read_text(encoding="utf-8") == made.text
    assert not filled(root).changed


def test_the_folder_of_the_caddyfile_is_made_when_it_is_written(root: Path) -> None:
    made = filled(root, "caddyfile.output=out/Caddyfile")
    assert not (root / "out").exists()
    made.write()
    assert (root / "out" / "Caddyfile").read_text(encoding="utf-8") == made.text


def test_what_changed_since_the_last_one_is_a_diff(root: Path) -> None:
    filled(root).write()
    (root / "Caddyfile_template").write_text(TEMPLATE.replace(" fallback", ""), encoding="utf-8")
    assert "-    redis cache.example:6379 fallback" in filled(root).diff()


def test_a_refused_file_never_replaces_a_good_one(root: Path) -> None:
    filled(root).write()
    (root / "Caddyfile_template").write_text(TEMPLATE.replace("redir", "redirr"), encoding="utf-8")
    with pytest.raises(TemplateError, match="Caddyfile_template:2 - Unknown directive"):
        filled(root)
    assert "redirr" not in (root / "Caddyfile").read_text(encoding="utf-8")


def test_a_dry_run_writes_through_no_link(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    # C10: `Caddyfile.new` was written through a link, a dry run included.
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "precious"
    elsewhere.write_text("precious", encoding="utf-8")
    (root / "Caddyfile").symlink_to(elsewhere)
    filled(root)
    assert elsewhere.read_text(encoding="utf-8") == "precious"
    assert sorted(path.name for path in root.iterdir()) == ["Caddyfile", "Caddyfile_template"]


def test_ports_and_address_that_disagree_with_the_stacks_are_told_at_once(root: Path) -> None:
    with pytest.raises(TemplateError, match="does not fit the stacks") as caught:
        filled(root, "ecs.ports=[80, 9000]", "load_balancer.container_port=80")
    assert caught.value.message.count("\n") == 2


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_template_with_or_without_a_byte_order_mark_is_read(root: Path, encoding: str) -> None:
    (root / "Caddyfile_template").write_text(f"# ü\n{TEMPLATE}", encoding=encoding)
    assert filled(root).text.startswith("# ü")


def test_another_encoding_is_refused_with_its_line(root: Path) -> None:
    # C2: one latin-1 byte was a traceback.
    (root / "Caddyfile_template").write_bytes(b"# fine\n# \xfc\n" + TEMPLATE.encode())
    with pytest.raises(TemplateError, match=r"Caddyfile_template:2: the text is not UTF-8"):
        filled(root)


def test_a_missing_template_is_reported_with_its_key(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="cannot be read") as caught:
        filled(tmp_path)
    assert "caddyfile.template" in str(caught.value.hint)


def test_a_service_of_another_version_is_a_warning(root: Path) -> None:
    (root / "service").mkdir()
    (root / "service" / "__main__.py").write_text("", encoding="utf-8")
    [notice], _ = _drive(root)
    assert isinstance(notice, Notice) and notice.warning
