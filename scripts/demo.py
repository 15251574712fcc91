"""`make demo`: the main job on this machine, from nothing to a failed release, then cleaned up.

It runs the real commands as processes and shows what they print. No question, no account
and no Docker needed: without an engine the sandbox packs the image itself, and says so.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3

from opsctl import caddyfile
from opsctl.config import load
from opsctl_sandbox import images

ROOT = Path(__file__).resolve().parent.parent
OPSCTL = [sys.executable, "-m", "opsctl"]


class Demo:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.step = 0

    def title(self, text: str) -> None:
        self.step += 1
        line = f"{self.step}. {text}"
        say(f"\n\033[1m{line}\033[0m" if sys.stdout.isatty() else f"\n{line}")

    def opsctl(self, *words: str, expect: Sequence[int] = (0,)) -> None:
        """Run a command in the open; stop the tour when it ends otherwise than told."""
        say(f"$ opsctl {' '.join(words)}")
        done = subprocess.run(
            [*OPSCTL, *words], cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL
        )
        if done.returncode not in expect:
            raise SystemExit(f"the demo stops: opsctl {words[0]} exited {done.returncode}")

    def ask(self, *words: str) -> str:
        done = subprocess.run(
            [*OPSCTL, *words],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def release(self) -> None:
        """`update-tasks`; the image is packed here when there is no engine to build and run it."""
        if self.containers():
            self.opsctl("update-tasks", "--yes")
            return
        say("no Docker engine to use, so the sandbox packs service/ and the Caddyfile itself")
        self.opsctl("update-tasks", "--yes", "--image", self.ask("sandbox", "image").strip())

    def containers(self) -> bool:
        """Whether the sandbox found an engine that runs its tasks."""
        return bool(json.loads(self.ask("sandbox", "status", "--json"))["tasks"] == "docker")

    def pack(self, more: str) -> str:
        """Push an image whose Caddyfile has `more` at its end; returns repo@digest."""
        config = load.load(self.folder / "opsctl.yaml", environment=None, environ={}).config
        known = caddyfile.variables(config, self.outputs("db"))
        filled = caddyfile.fill((self.folder / "Caddyfile_template").read_text(), known)
        secrets = "refresh_token: ssm:/demo/refresh-token\n"
        packed = images.pack(self.folder / "service", filled + more, secrets=secrets.encode())
        ecr = boto3.client("ecr", endpoint_url=self.env["AWS_ENDPOINT_URL"], **self.credentials())
        login = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
        registry = images.Registry(self.env["AWS_ENDPOINT_URL"], f"Basic {login}")
        return registry.push(config.image.repository, packed, tag=packed.digest[7:19])

    def put_secret(self, name: str) -> None:
        """What an operator does once, with any tool: the config holds the reference only."""
        ssm = boto3.client("ssm", endpoint_url=self.env["AWS_ENDPOINT_URL"], **self.credentials())
        ssm.put_parameter(Name=name, Value="demo-refresh-token", Type="SecureString")

    def credentials(self) -> dict[str, str]:
        return {
            "region_name": self.env["AWS_REGION"],
            "aws_access_key_id": self.env["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": self.env["AWS_SECRET_ACCESS_KEY"],
        }

    def outputs(self, group: str) -> dict[str, str]:
        """Every output of the group's stacks."""
        outputs: dict[str, str] = {}
        for line in self.ask(group, "status", "--json").splitlines():
            outputs |= json.loads(line).get("outputs") or {}
        return outputs


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def show_request(url: str, method: str = "GET") -> None:
    status, body = request(url, method)
    say(f"$ curl -X {method} '{url}'\n{status} {body}")


@contextmanager
def sandbox(demo: Demo) -> Iterator[None]:
    demo.opsctl("sandbox", "up", "--speed", "60")
    try:
        printed = json.loads(demo.ask("sandbox", "env", "--json"))
        demo.env |= {key: value for key, value in printed.items() if key.isupper()}
        yield
    finally:
        demo.opsctl("sandbox", "down")


class Load:
    """Requests through the load balancer, one after another, counted until told to stop."""

    def __init__(self, url: str) -> None:
        self.url, self.sent = url, 0
        self.lost: list[tuple[int, str]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            self.sent += 1
            answer = request(self.url)
            if answer[0] >= 500:
                self.lost.append(answer)
            time.sleep(0.02)

    def report(self) -> str:
        """Both counts, and what the first lost request got instead of its answer."""
        counts = f"requests while rolling: {self.sent} sent, {len(self.lost)} lost"
        return counts + (f" (the first: {self.lost[0]})" if self.lost else "")


def request(url: str, method: str = "GET") -> tuple[int, str]:
    """Status and body; 599 when nothing answers."""
    wanted = urllib.request.Request(url, method=method)
    wanted.add_header("Authorization", "Bearer demo-token")
    try:
        with urllib.request.urlopen(wanted, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 599, str(error)


class Auth(BaseHTTPRequestHandler):
    """Stands in for the company's auth service: any token may see client `c1`."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer({"jwt_token": "demo-access-token"})

    def do_GET(self) -> None:
        self._answer({"scope": {"cids": ["c1"]}})

    def _answer(self, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def auth() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Auth)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def write_system(folder: Path, auth_url: str) -> None:
    (folder / "opsctl.yaml").write_text(
        "name: demo\n"
        "network: {vpc: vpc-00000001, subnets: [subnet-00000001, subnet-00000002]}\n"
        "ecs: {desired_count: 4}\n"
        # An engine without a bridge reaches the package index, too.
        "image: {network: host}\n"
        f"caddyfile: {{variables: {{AUTH_URL: '{auth_url}'}}}}\n"
        "secrets: {values: {refresh_token: 'ssm:/demo/refresh-token'}}\n"
    )
    for name in ("Caddyfile_template", "Dockerfile", ".dockerignore"):
        shutil.copy(ROOT / name, folder / name)
    shutil.copytree(ROOT / "requirements", folder / "requirements")
    shutil.copytree(ROOT / "service", folder / "service", ignore=shutil.ignore_patterns("*.pyc"))


def main() -> int:
    folder = Path(tempfile.mkdtemp(prefix="opsctl-demo-"))
    started = time.monotonic()
    try:
        with auth() as auth_url:
            write_system(folder, auth_url)
            tour(Demo(folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    say(f"\ndone in {time.monotonic() - started:.0f} s; everything is cleaned up")
    say("go on: docs/tutorial.md; what the sandbox simulates: docs/sandbox.md")
    return 0


def tour(demo: Demo) -> None:
    demo.title("an AWS on this machine")
    with sandbox(demo):
        demo.put_secret("/demo/refresh-token")
        demo.title("the database")
        demo.opsctl("db", "up", "--yes")
        demo.title("the service; no image yet, so no task")
        demo.opsctl("ecs", "up", "--yes")
        demo.title("the first release")
        demo.release()
        url = f"http://{demo.outputs('ecs')['LoadBalancerDNSName']}"
        entity = f"{url}/v1/cids/c1/entity_types/user/domains/d/keys/k"
        demo.title("requests through the load balancer")
        show_request(f"{entity}?name=Ada&langs=[en,fr]", "PUT")
        show_request(entity)
        demo.title("an edit of Caddyfile_template, rolled under load")
        template = demo.folder / "Caddyfile_template"
        template.write_text(template.read_text() + "# edited\n")
        with Load(entity) as load:
            demo.release()
        say(load.report())
        demo.title("what it logged")
        demo.opsctl("logs", "tail", "--since", "1h", "--no-follow", "--lines", "12")
        demo.title("how it does")
        demo.opsctl("metrics", "--since", "10m")
        demo.title("a release that cannot start: seen, told, rolled back, and not called done")
        if demo.containers():
            say("the Dockerfile refuses a broken Caddyfile, so this image also lacks its Python")
        demo.opsctl(
            "update-tasks", "--yes", "--image", demo.pack(":9 {\n    nonsense\n}\n"), expect=(5,)
        )
        show_request(entity)
        demo.title("why it failed")
        demo.opsctl("why")
        demo.title("back to the release before the edit")
        demo.opsctl("history")
        demo.opsctl("rollback", "1", "--yes")
        show_request(entity)
        demo.title("everything down again")
        demo.opsctl("ecs", "down", "--repository", "--confirm", "demo-ecs", "--confirm", "demo-ecr")
        demo.opsctl("db", "down", "--confirm", "demo-db")


if __name__ == "__main__":
    sys.exit(main())
