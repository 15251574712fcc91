"""`check` and `adapt` need Python and PyYAML and nothing else: the tool runs them that way."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
# Without site-packages and the folder it is started in, and with nothing else to be imported.
ALONE = """
import sys
sys.path[:0] = sys.argv[1:3]
class Blocker:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names and top not in ("service", "yaml", "_yaml"):
            raise ImportError(f"{name} is not there")
sys.meta_path.insert(0, Blocker())
from service.__main__ import main
sys.exit(main(sys.argv[3:]))
"""
CADDYFILE = """
:80 {
    redir / /health.txt
}
:8082 {
    secrets .secrets.yml
    awscloudwatch error GROUP root- 65536
    reauth {
        path /v1
        except /v1/public
        simple a=b
        upstream url=https://auth.example.com
        refresh url=https://auth.example.com,cache_path=/tmp/reauth
        failure redirect target=/login?back={uri}
    }
    transformrequest /things/{owner}/{key} {
        part key [a-z]+
        scope owner
    }
    redis rediss://cache.example.com:6380 fallback {
        user name
        password word
        cluster
    }
    transformresponse
}
"""


def alone(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    (folder / "yaml-only").mkdir(exist_ok=True)
    link = folder / "yaml-only" / "yaml"
    if not link.exists():
        link.symlink_to(Path(yaml.__file__).parent)
    (folder / "service.py").write_text("raise SystemExit('somebody else')")
    paths = [str(ROOT), str(link.parent)]
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", ALONE, *paths, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=30,
        env={},
    )


@pytest.mark.parametrize("command", ["check", "adapt"])
def test_a_caddyfile_of_every_directive_is_read_alone(tmp_path: Path, command: str) -> None:
    (tmp_path / "Caddyfile").write_text(CADDYFILE)
    done = alone(tmp_path, command, "Caddyfile")
    assert (done.returncode, done.stderr) == (0, "")
    assert bool(done.stdout) == (command == "adapt")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("redis x sometimes", "redis does not know 'sometimes'"),
        ("reauth {\n path /\n refresh url=x\n}", "unable to parse url x"),
        ("transformrequest nothing", "a template begins with /"),
        ("rediss x", "did you mean 'redis'?"),
    ],
)
def test_what_is_wrong_is_said_alone(tmp_path: Path, line: str, why: str) -> None:
    (tmp_path / "Caddyfile").write_text(f":80\n{line}\n")
    done = alone(tmp_path, "check", "Caddyfile")
    assert done.returncode == 1
    assert why in done.stderr and "Traceback" not in done.stderr
