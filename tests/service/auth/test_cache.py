"""The cache: expiry, the memory in front, files that others wrote, broke, planted or lock."""

import asyncio
import base64
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from service.auth.cache import FOLDER, Disk, Entry, Memory, entry, token_expiry

TOKEN = b"Bearer canary-5be3"
NOW = 1_000_000.0


def jwt(claims: object) -> bytes:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=")
    return b"e30." + payload + b".c2ln"


def opened(directory: Path, *, now: float = NOW, lock_timeout: float = 5.0) -> Disk:
    disk = Disk(directory, "https://auth", now=lambda: now, lock_timeout=lock_timeout)
    disk.open()
    return disk


def lasting(seconds: float = 60.0) -> Entry:
    return Entry({"scope": {"cids": ["abc"]}}, NOW + seconds, NOW + seconds)


@pytest.mark.parametrize(
    ("token", "expiry"),
    [
        (jwt({"exp": 1234}), 1234.0),
        (jwt({"exp": 1234.5}), 1234.5),
        (jwt({"exp": "1234"}), None),
        (jwt({"exp": True}), None),
        (jwt({}), None),
        (jwt([1]), None),
        (b"a.b", None),
        (b"opaque", None),
        (b"a.!!!.c", None),
        (b"a.\xff\xfe.c", None),
        (b"..", None),
    ],
)
def test_expiry_of_a_token(token: bytes, expiry: float | None) -> None:
    assert token_expiry(token) == expiry


def test_an_entry_lives_for_its_lifetime_unless_its_token_ends_sooner() -> None:
    opaque = entry({}, b"opaque", now=NOW, lifetime=100, stale=50)
    assert (opaque.fresh_until, opaque.usable_until) == (NOW + 100, NOW + 150)
    short = entry({}, jwt({"exp": NOW + 20}), now=NOW, lifetime=100, stale=50)
    assert (short.fresh_until, short.usable_until) == (NOW + 20, NOW + 20)
    between = entry({}, jwt({"exp": NOW + 120}), now=NOW, lifetime=100, stale=50)
    assert (between.fresh_until, between.usable_until) == (NOW + 100, NOW + 120)


def test_memory_forgets_the_least_recently_used() -> None:
    memory = Memory(capacity=2, now=lambda: NOW)
    memory.remember(b"a", lasting())
    memory.remember(b"b", lasting())
    assert memory.recall(b"a") is not None
    memory.remember(b"c", lasting())
    assert memory.recall(b"b") is None
    assert memory.recall(b"a") is not None
    assert len(memory) == 2


def test_memory_is_bounded_by_what_it_weighs() -> None:
    memory = Memory(max_weight=3500, now=lambda: NOW)
    for key in (b"a", b"b", b"c", b"b"):
        memory.remember(key, Entry({"x": "y" * 300}, NOW + 9, NOW + 9))
    assert len(memory) == 3
    memory.remember(b"d", Entry({"x": "y" * 300}, NOW + 9, NOW + 9))
    assert [key for key in (b"a", b"b", b"c", b"d") if memory.recall(key)] == [b"b", b"c", b"d"]
    memory.remember(b"giant", Entry({"x": "y" * 4000}, NOW + 9, NOW + 9))
    assert len(memory) == 3


def test_memory_does_not_recall_what_expired_but_tells_what_is_usable() -> None:
    clock = [NOW]
    memory = Memory(now=lambda: clock[0])
    memory.remember(b"a", Entry({"x": 1}, NOW + 10, NOW + 20))
    assert memory.recall(b"a") == {"x": 1}
    clock[0] = NOW + 10
    assert memory.recall(b"a") is None
    assert memory.usable(b"a") is not None
    clock[0] = NOW + 20
    assert memory.usable(b"a") is None


def test_a_hit_costs_at_most_two_microseconds() -> None:
    memory = Memory()
    keys = [b"Bearer " + os.urandom(400) for _ in range(1000)]
    for key in keys:
        memory.remember(key, Entry({}, time.time() + 60, time.time() + 60))
    best = 1.0
    for _ in range(20):
        begin = time.thread_time()
        for key in keys:
            memory.recall(key)
        best = min(best, (time.thread_time() - begin) / len(keys))
    assert best <= 2e-6


def test_what_one_process_wrote_another_reads_and_so_does_the_next_start(tmp_path: Path) -> None:
    first = opened(tmp_path / "deep" / "reauth")
    first.write(TOKEN, lasting())
    second = opened(tmp_path / "deep" / "reauth")
    assert second.read(TOKEN) == lasting()
    first.close()
    second.close()
    third = opened(tmp_path / "deep" / "reauth")
    assert third.read(TOKEN) == lasting()
    third.close()


def test_other_auth_servers_and_other_tokens_are_strangers(tmp_path: Path) -> None:
    disk = opened(tmp_path)
    disk.write(TOKEN, lasting())
    assert disk.read(TOKEN + b"x") is None
    other = Disk(tmp_path, "https://other", now=lambda: NOW)
    other.open()
    assert other.read(TOKEN) is None
    disk.close()
    other.close()


def test_neither_names_nor_contents_hold_the_token_and_only_the_owner_reads(tmp_path: Path) -> None:
    disk = opened(tmp_path / "c")
    disk.write(TOKEN, lasting())
    disk.close()
    for file in (tmp_path / "c" / FOLDER).iterdir():
        assert b"canary" not in file.name.encode() + file.read_bytes()
        assert file.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "c" / FOLDER).stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b'{"name": "x"}',
        b'{"value": {}, "name": 5}',
        b"[" * 9000,
    ],
)
def test_a_broken_file_is_a_miss(tmp_path: Path, text: bytes) -> None:
    disk = opened(tmp_path)
    disk.write(TOKEN, lasting())
    (file,) = (tmp_path / FOLDER).glob("*.json")
    file.write_bytes(text)
    assert disk.read(TOKEN) is None
    disk.write(TOKEN, lasting())
    assert disk.read(TOKEN) == lasting()
    disk.close()


def test_an_entry_under_another_name_is_a_miss(tmp_path: Path) -> None:
    disk = opened(tmp_path)
    disk.write(b"Bearer mighty", lasting())
    (mighty,) = (tmp_path / FOLDER).glob("*.json")
    disk.write(TOKEN, lasting())
    (own,) = set((tmp_path / FOLDER).glob("*.json")) - {mighty}
    mighty.replace(own)
    assert disk.read(TOKEN) is None
    disk.close()


def test_a_planted_file_grants_nothing(tmp_path: Path) -> None:
    disk = opened(tmp_path)
    disk.write(TOKEN, lasting())
    (file,) = (tmp_path / FOLDER).glob("*.json")
    file.chmod(0o666)
    assert disk.read(TOKEN) is None
    file.chmod(0o600)
    elsewhere = tmp_path / "elsewhere"
    file.rename(elsewhere)
    file.symlink_to(elsewhere)
    assert disk.read(TOKEN) is None
    file.unlink()
    os.mkfifo(file)
    assert disk.read(TOKEN) is None
    disk.close()


def test_the_dead_and_abandoned_are_pruned_and_the_living_stay(tmp_path: Path) -> None:
    disk = opened(tmp_path)
    disk.write(b"living", lasting(500))
    disk.write(b"dying", lasting(5))
    own = tmp_path / FOLDER
    strangers = {"package.json", f"{'0' * 63}.json", f"{'0' * 64}.yaml", ".tmp-x"}
    (tmp_path / "package.json").touch()
    for name, age in (
        (".context-crashed.tmp", 4000),
        (".context-busy.tmp", 10),
        *[(name, 99_999) for name in strangers],
    ):
        (own / name).touch()
        os.utime(own / name, (NOW - age, NOW - age))
    disk.close()
    later = opened(tmp_path, now=NOW + 10)
    assert later.read(b"living") is not None
    left = {path.name for path in own.iterdir()}
    assert left - strangers == {".context-busy.tmp", "lock", later._name(b"living")}
    assert strangers < left
    assert (tmp_path / "package.json").exists()
    assert later.trouble is None
    later.close()


@pytest.mark.parametrize("kind", ["file", "below a file", "missing proc"])
def test_an_unusable_directory_means_memory_only_and_says_why(tmp_path: Path, kind: str) -> None:
    (tmp_path / "file").touch()
    directory = {
        "file": tmp_path / "file",
        "below a file": tmp_path / "file" / "reauth",
        "missing proc": Path("/proc/reauth"),
    }[kind]
    disk = opened(directory)
    assert disk.trouble is not None
    assert disk.trouble.startswith("not used: ")
    disk.write(TOKEN, lasting())
    assert disk.read(TOKEN) is None

    async def held() -> bool:
        async with disk.lock(TOKEN) as alone:
            return alone

    assert asyncio.run(held())
    disk.close()


def test_a_write_that_fails_is_told_and_forgiven(tmp_path: Path) -> None:
    disk = opened(tmp_path / "gone")
    own = tmp_path / "gone" / FOLDER
    (own / "lock").unlink()
    own.rmdir()
    disk.write(TOKEN, lasting())
    assert disk.trouble == "not written: No such file or directory"
    own.mkdir()
    disk.write(TOKEN, lasting())
    assert disk.trouble is None
    disk.close()


HOLD = """
import asyncio, sys, time
from pathlib import Path
from service.auth.cache import Disk

async def main():
    disk = Disk(Path(sys.argv[1]), "https://auth")
    disk.open()
    async with disk.lock(sys.argv[2].encode()):
        print("held", flush=True)
        sys.stdin.readline()
    print("let go", flush=True)
    sys.stdin.readline()

asyncio.run(main())
"""


def holder(directory: Path, key: str) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(directory), key],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_lock_held_by_another_process_is_waited_for(tmp_path: Path) -> None:
    with holder(tmp_path, "a") as process:
        disk = Disk(tmp_path, "https://auth", lock_timeout=0.15)
        disk.open()

        async def alone(key: bytes) -> bool:
            async with disk.lock(key) as held:
                return held

        try:
            assert asyncio.run(alone(b"b")), "another key has another lock"
            assert not asyncio.run(alone(b"a"))
            assert disk.lock_timeouts == 1
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("\n")
            process.stdin.flush()
            assert process.stdout.readline() == "let go\n"
            assert asyncio.run(alone(b"a"))
        finally:
            process.kill()
            disk.close()


def test_a_process_that_dies_lets_go_of_its_lock(tmp_path: Path) -> None:
    with holder(tmp_path, "a") as process:
        process.kill()
    disk = Disk(tmp_path, "https://auth", lock_timeout=0.0)
    disk.open()

    async def alone() -> bool:
        async with disk.lock(b"a") as held:
            return held

    assert asyncio.run(alone())
    disk.close()


def test_a_lock_is_let_go_when_its_request_ends_while_it_is_taken(tmp_path: Path) -> None:
    async def run() -> bool:
        first, other = (Disk(tmp_path, "https://auth", lock_timeout=0.05) for _ in range(2))
        for rule in (first, other):
            rule.open()

        async def take() -> None:
            async with first.lock(b"a"):
                await asyncio.sleep(60)

        taking = asyncio.create_task(take())
        await asyncio.sleep(0)
        time.sleep(0.05)  # its thread takes the lock, and the loop does not learn it in time
        taking.cancel()
        await asyncio.gather(taking, return_exceptions=True)
        await asyncio.sleep(0.01)
        async with other.lock(b"a") as got:
            for rule in (first, other):
                rule.close()
            return got

    assert asyncio.run(run())


def test_two_rules_of_one_process_share_a_folder_and_exclude_each_other(tmp_path: Path) -> None:
    async def run() -> list[bool]:
        rules = [Disk(tmp_path, "https://auth", lock_timeout=0.05) for _ in range(3)]
        for rule in rules:
            rule.open()
        got = []
        async with rules[0].lock(b"a") as mine:
            got.append(mine)
            async with rules[1].lock(b"a") as theirs:
                got.append(theirs)
            rules[2].close()  # which with a process's locks would let go of all of them
            async with rules[1].lock(b"a") as still_theirs:
                got.append(still_theirs)
        async with rules[1].lock(b"a") as then:
            got.append(then)
        for rule in rules:
            rule.close()
        return got

    assert asyncio.run(run()) == [True, False, False, True]
