"""`rediss://` against a real redis-server with TLS: who is trusted, and how a refusal is told."""

import asyncio
import gc
import os
import signal
import socket
import warnings
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest

from service.entities.commands import Entity, Read, Replace
from service.errors import StartError
from service.stores import address
from service.stores.redis import RedisStore
from service.stores.store import Unavailable
from tests.service.certificates import Authority, authority
from tests.service.processes import ENTITY, running
from tests.service.redis_server import start_redis

KEY = Entity(b"test_tls")
USER = ["--user", "ann", "on", ">canary-tls-5b", "~*", "+@all"]


@dataclass(frozen=True)
class Secure:
    port: int
    plain_port: int
    authority: Authority
    other: Authority
    process: int


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    folder = tmp_path_factory.mktemp("tls")
    ours, other = authority(folder / "ours"), authority(folder / "other")
    certificate, key = ours.issue("localhost")
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port = probe.getsockname()[1]
    files = ["--tls-cert-file", str(certificate), "--tls-key-file", str(key)]
    tls = ["--tls-port", str(port), *files, "--tls-auth-clients", "no"]
    server = start_redis(folder, *tls, *USER)
    yield Secure(port, server.port, ours, other, server.process.pid)
    server.process.terminate()
    server.process.wait(10)


def refusal(where: str, tls_ca: str | Path = "", user: str = "", password: str = "") -> str:
    """Why a write and a read over this address fail, or nothing."""

    async def run() -> str:
        store = RedisStore(
            address.parse(where), timeout=10, user=user, password=password, tls_ca=str(tls_ca)
        )
        await store.open()
        try:
            await store.execute(Replace(KEY, (b'"a"', b'"%b"' % (b"x" * 300_000)), b'"1"'))
            assert await store.execute(Read((Entity(b"test_tls, none"),))) == ([],)
        except Unavailable as error:
            assert store.status()["why"] == error.why
            return error.why
        finally:
            await store.close()
        return ""

    return asyncio.run(run())


def test_a_certificate_of_the_authority_named_is_good(secure: Secure) -> None:
    assert refusal(f"rediss://localhost:{secure.port}/1", secure.authority.file) == ""


def test_a_user_with_a_password_comes_in_over_tls(secure: Secure) -> None:
    where = f"rediss://localhost:{secure.port}"
    assert refusal(where, secure.authority.file, "ann", "canary-tls-5b") == ""
    assert refusal(where, secure.authority.file, "ann", "wrong").startswith("WRONGPASS")


def test_closing_waits_until_a_slow_server_agreed(secure: Secure) -> None:
    """Else the socket is left to the garbage collector."""

    async def run() -> None:
        where = address.parse(f"rediss://localhost:{secure.port}")
        store = RedisStore(where, timeout=10, tls_ca=str(secure.authority.file))
        await store.open()
        os.kill(secure.process, signal.SIGSTOP)
        asyncio.get_running_loop().call_later(0.2, os.kill, secure.process, signal.SIGCONT)
        await store.close()

    with warnings.catch_warnings(record=True) as left:
        warnings.simplefilter("always")
        try:
            asyncio.run(run())
        finally:
            os.kill(secure.process, signal.SIGCONT)
        gc.collect()
    assert left == []


NOT_TRUSTED = "its certificate is not accepted: unable to get local issuer certificate"


@pytest.mark.parametrize(
    ("host", "trusted", "why"),
    [
        ("localhost", "", NOT_TRUSTED),
        ("localhost", "other", NOT_TRUSTED),
        (
            "127.0.0.1",
            "authority",
            "its certificate is not accepted:"
            " IP address mismatch, certificate is not valid for '127.0.0.1'",
        ),
    ],
)
def test_any_other_certificate_is_refused_in_one_sentence(
    secure: Secure, caplog: pytest.LogCaptureFixture, host: str, trusted: str, why: str
) -> None:
    authorities = getattr(secure, trusted).file if trusted else ""
    assert refusal(f"rediss://{host}:{secure.port}", authorities) == why
    said = [record.getMessage() for record in caplog.records]
    assert said == [f"redis rediss://{host}:{secure.port}/0 cannot be reached: {why}"]


def test_a_redis_without_tls_is_not_spoken_to_in_the_clear(secure: Secure) -> None:
    assert refusal(f"rediss://localhost:{secure.plain_port}", secure.authority.file)


@pytest.mark.parametrize(
    ("text", "why"), [(None, "No such file or directory"), ("-----BEGIN", "not PEM")]
)
def test_authorities_that_cannot_be_read_stop_the_start(
    tmp_path: Path, text: str | None, why: str
) -> None:
    file = tmp_path / "authorities.pem"
    if text is not None:
        file.write_text(text)
    with pytest.raises(StartError, match=rf"authorities\.pem cannot be read: {why}$"):
        RedisStore(address.parse("rediss://localhost"), timeout=1, tls_ca=str(file))


CADDYFILE = """
:80 {
 redir / /health.txt
}
:8082 {
 secrets SECRETS
 transformrequest {
  scope off
 }
 redis rediss://localhost:PORT fallback {
  user name
  password word
  tls_ca AUTHORITIES
  timeout 10s
 }
 transformresponse
}
"""


@pytest.mark.parametrize(("trusted", "state"), [("authority", "up"), ("other", "down")])
def test_status_and_log_of_a_process_say_how_it_stands_with_tls(
    secure: Secure, tmp_path: Path, trusted: str, state: str
) -> None:
    (tmp_path / "secrets.yml").write_text("name: ann\nword: canary-tls-5b\n")
    text = CADDYFILE.replace("SECRETS", str(tmp_path / "secrets.yml"))
    text = text.replace("AUTHORITIES", str(getattr(secure, trusted).file))
    with running(tmp_path, text.replace("PORT", str(secure.port))) as service:
        # Only Redis can say that there was none before.
        assert service.request("PUT", ENTITY + trusted + "?a=1")[0] == (
            201 if state == "up" else 204
        )
        assert service.request("GET", ENTITY + trusted)[0] == 200
        shown = service.request("GET", "/status", port=80)[1]
        assert service.stop() == 0
    redis = orjson.loads(shown)["sites"][":8082"]["redis"]
    assert redis["state"] == state
    assert redis["fallback"]["writes"] == (state == "down")
    assert redis.get("why") == (NOT_TRUSTED if state == "down" else None)
    said = "\n".join(service.said)
    assert (f"cannot be reached: {NOT_TRUSTED}" in said) is (state == "down")
    assert "canary" not in said + shown.decode() and "Traceback" not in said
