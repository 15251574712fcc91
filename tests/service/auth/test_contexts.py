"""Security contexts: one call for many requests, shared by processes, kept over a restart."""

import asyncio
import base64
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from service.auth.cache import Disk
from service.auth.contexts import Contexts
from service.auth.errors import Refused, Unavailable
from service.auth.refresh import AuthServer, Client
from tests.service import auth_server as fake
from tests.service.auth_server import ACCESS_TOKEN, CLIENT_TOKEN, CONTEXT, REFRESH_TOKEN, Reply

T = TypeVar("T")
KEY = b"Bearer " + CLIENT_TOKEN.encode()


@pytest.fixture
def server() -> Iterator[fake.AuthServer]:
    with fake.serve() as running:
        yield running


def slowly(call: fake.Call) -> Reply:
    return replace(fake.answer(call), delay=0.2)


class Clock:
    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


async def no_pause(seconds: float) -> None: ...


def run(
    url: str,
    directory: Path | None,
    body: Callable[[Contexts], Awaitable[T]],
    *,
    now: Callable[[], float] = time.time,
    stale: float = 0.0,
    timeout: float = 5.0,
) -> T:
    async def main() -> T:
        client = Client(url, timeout=timeout, skipverify=False, follow=False)
        client.open()
        contexts = Contexts(
            AuthServer(url, client, sleep=no_pause),
            Disk(directory, url, now=now),
            REFRESH_TOKEN,
            stale=stale,
            now=now,
        )
        await contexts.open()
        try:
            return await body(contexts)
        finally:
            await contexts.close()
            await client.close()

    return asyncio.run(main())


def ask(contexts: Contexts) -> Awaitable[Any]:
    return contexts.context(KEY, CLIENT_TOKEN)


def test_fifty_requests_of_one_token_make_one_call(server: fake.AuthServer, tmp_path: Path) -> None:
    server.answer = slowly

    async def fifty(contexts: Contexts) -> list[Any]:
        return await asyncio.gather(*(ask(contexts) for _ in range(50)))

    assert run(server.url, tmp_path, fifty) == [CONTEXT] * 50
    assert [call.path for call in server.calls] == ["/v1/access_token", "/v1/security_context"]


def test_many_tokens_at_once_make_one_exchange_of_the_refresh_token(
    server: fake.AuthServer,
) -> None:
    async def many(contexts: Contexts) -> list[Any]:
        calls = (contexts.context(b"Bearer %d" % n, str(n)) for n in range(20))
        answers: list[Any] = await asyncio.gather(*calls, return_exceptions=True)
        return answers

    answers = run(server.url, None, many)
    assert all(isinstance(each, Refused) for each in answers)
    assert server.count("/v1/access_token") == 1
    assert server.count("/v1/security_context") == 20


def test_a_failed_call_fails_all_who_waited_and_only_them(server: fake.AuthServer) -> None:
    server.answer = lambda call: Reply(500, delay=0.05)

    async def body(contexts: Contexts) -> list[Any]:
        failed = await asyncio.gather(*(ask(contexts) for _ in range(10)), return_exceptions=True)
        server.answer = fake.answer
        return [*failed, await ask(contexts)]

    *failed, later = run(server.url, None, body)
    assert all(isinstance(each, Unavailable) for each in failed)
    assert later == CONTEXT
    assert server.count("/v1/access_token") == 3


def test_a_client_that_goes_away_does_not_take_the_call_with_it(server: fake.AuthServer) -> None:
    server.answer = slowly

    async def body(contexts: Contexts) -> Any:
        first = asyncio.create_task(_coroutine(ask(contexts)))
        await asyncio.sleep(0.05)
        second = asyncio.create_task(_coroutine(ask(contexts)))
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert run(server.url, None, body) == CONTEXT
    assert server.count("/v1/security_context") == 1


async def _coroutine(awaitable: Awaitable[T]) -> T:
    return await awaitable


def test_what_is_known_is_recalled_without_a_call(server: fake.AuthServer) -> None:
    async def body(contexts: Contexts) -> Any:
        assert contexts.recall(KEY) is None
        await ask(contexts)
        return contexts.recall(KEY)

    assert run(server.url, None, body) == CONTEXT


def test_a_restart_keeps_what_is_known(server: fake.AuthServer, tmp_path: Path) -> None:
    run(server.url, tmp_path, ask)
    made = len(server.calls)
    assert run(server.url, tmp_path, ask) == CONTEXT
    assert len(server.calls) == made


def test_an_expired_context_is_asked_for_again_and_not_refused(
    server: fake.AuthServer, tmp_path: Path
) -> None:
    clock = Clock()

    async def body(contexts: Contexts) -> None:
        await ask(contexts)
        clock.ahead = 3 * 3600 + 1
        assert contexts.recall(KEY) is None
        assert await ask(contexts) == CONTEXT

    run(server.url, tmp_path, body, now=clock)
    assert server.count("/v1/security_context") == 2


def test_a_token_that_ends_sooner_is_asked_for_sooner(server: fake.AuthServer) -> None:
    clock = Clock()
    claims = base64.urlsafe_b64encode(json.dumps({"exp": time.time() + 60}).encode()).decode()
    token = f"e30.{claims}.c2ln"
    server.answer = lambda call: (
        Reply(200, json.dumps(CONTEXT).encode())
        if call.path == "/v1/security_context"
        else fake.answer(call)
    )

    async def body(contexts: Contexts) -> None:
        await contexts.context(b"k", token)
        assert contexts.recall(b"k") == CONTEXT
        clock.ahead = 61
        assert contexts.recall(b"k") is None

    run(server.url, None, body, now=clock)


def test_a_token_refused_after_its_expiry_is_forgotten(
    server: fake.AuthServer, tmp_path: Path
) -> None:
    clock = Clock()

    async def body(contexts: Contexts) -> None:
        await ask(contexts)
        clock.ahead = 3 * 3600 + 1
        server.answer = lambda call: (
            Reply(401) if call.path == "/v1/security_context" else fake.answer(call)
        )
        with pytest.raises(Refused):
            await ask(contexts)

    run(server.url, tmp_path, body, now=clock, stale=7200.0)
    assert list(tmp_path.glob("*.json")) == []


@pytest.mark.parametrize("stale", [0.0, 7200.0])
def test_an_expired_context_serves_only_if_allowed_when_nobody_can_be_asked(
    server: fake.AuthServer, tmp_path: Path, stale: float
) -> None:
    clock = Clock()

    async def body(contexts: Contexts) -> Any:
        await ask(contexts)
        clock.ahead = 3 * 3600 + 1
        server.answer = lambda call: Reply(503)
        first = await ask(contexts)
        calls = len(server.calls)
        assert contexts.recall(KEY) == CONTEXT, "the next requests do not wait for a dead server"
        assert len(server.calls) == calls
        clock.ahead = 3 * 3600 + 7201
        with pytest.raises(Unavailable):
            await ask(contexts)
        assert contexts.status()["served_stale"] == 1
        return first

    if stale:
        assert run(server.url, tmp_path, body, now=clock, stale=stale) == CONTEXT
    else:
        with pytest.raises(Unavailable):
            run(server.url, tmp_path, body, now=clock, stale=stale)


def test_an_access_token_that_died_early_is_exchanged_once(server: fake.AuthServer) -> None:
    clock = Clock()
    valid = ACCESS_TOKEN

    def rotating(call: fake.Call) -> Reply:
        if call.path == "/v1/access_token":
            return Reply(200, json.dumps({"jwt_token": valid}).encode())
        if call.headers["authorization"] != f"Bearer {valid}":
            return Reply(401)
        return fake.answer(
            fake.Call(
                call.method,
                call.path,
                call.query,
                call.form,
                {"authorization": f"Bearer {ACCESS_TOKEN}"},
            )
        )

    server.answer = rotating

    async def body(contexts: Contexts) -> Any:
        nonlocal valid
        with pytest.raises(Refused):
            await contexts.context(b"Bearer stranger", "stranger")
        assert server.count("/v1/access_token") == 1, "a young access token is not in doubt"
        valid = "canary-access-next"
        clock.ahead = 61
        return await ask(contexts)

    assert run(server.url, None, body, now=clock) == CONTEXT
    assert server.count("/v1/access_token") == 2


def test_an_answer_that_holds_a_token_stays_off_the_disk(
    server: fake.AuthServer, tmp_path: Path
) -> None:
    server.answer = lambda call: (
        Reply(200, json.dumps({**CONTEXT, "token": CLIENT_TOKEN}).encode())
        if call.path == "/v1/security_context"
        else fake.answer(call)
    )

    async def body(contexts: Contexts) -> Any:
        await ask(contexts)
        return contexts.recall(KEY)

    assert run(server.url, tmp_path, body) == {**CONTEXT, "token": CLIENT_TOKEN}
    assert list(tmp_path.glob("*.json")) == []


def test_no_file_holds_a_token(server: fake.AuthServer, tmp_path: Path) -> None:
    run(server.url, tmp_path / "reauth", ask)
    files = list((tmp_path / "reauth" / "reauth-contexts").iterdir())
    assert len(files) == 2
    for file in files:
        assert b"canary" not in file.name.encode() + file.read_bytes()


def test_an_unusable_directory_costs_calls_and_refuses_nobody(
    server: fake.AuthServer, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()

    async def body(contexts: Contexts) -> Any:
        assert await ask(contexts) == CONTEXT
        return contexts.status()

    status = run(server.url, tmp_path / "file", body)
    assert status["disk"] == "not used: Not a directory"


WORKER = """
import asyncio, sys
from pathlib import Path
from service.auth.cache import Disk
from service.auth.contexts import Contexts
from service.auth.refresh import AuthServer, Client

async def main(url, directory, refresh_token, token):
    client = Client(url, timeout=5.0, skipverify=False, follow=False)
    client.open()
    contexts = Contexts(AuthServer(url, client), Disk(Path(directory), url), refresh_token)
    await contexts.open()
    print("ready", flush=True)
    sys.stdin.readline()
    asked = (contexts.context(b"Bearer " + token.encode(), token) for _ in range(25))
    answers = await asyncio.gather(*asked)
    await contexts.close()
    await client.close()
    print(len(answers), answers[0]["user"], flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


def test_two_processes_make_one_call_between_them(server: fake.AuthServer, tmp_path: Path) -> None:
    server.answer = slowly
    command = [sys.executable, "-c", WORKER, server.url, str(tmp_path), REFRESH_TOKEN, CLIENT_TOKEN]
    workers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    try:
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write("\n")
            worker.stdin.flush()
        outputs = [worker.communicate(timeout=30)[0] for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()
    assert outputs == ["25 u1\n", "25 u1\n"]
    assert server.count("/v1/security_context") == 1
