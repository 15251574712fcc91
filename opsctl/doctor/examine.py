"""Check everything, in the order in which it would stop a first release."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from opsctl import aws
from opsctl.cause.looks import EVERYTHING
from opsctl.config.load import Loaded
from opsctl.doctor import account, here, network, system
from opsctl.doctor.finding import Finding
from opsctl.snapshot import preflight
from opsctl.snapshot.preflight import Scope
from opsctl.snapshot.snapshot import Look, Part, Snapshot

if TYPE_CHECKING:
    from opsctl.aws import Clients
    from opsctl.config.model import Config
    from opsctl.snapshot.read import Reader

_PARTS: frozenset[Part] = frozenset({"stacks", "secrets", "newest_image"})


def config(loaded: Loaded) -> Iterator[Finding]:
    for warning in loaded.warnings:
        yield Finding("config", "warning", warning, "opsctl config check")
    if not loaded.warnings:
        yield Finding("config", "ok", "the config is valid")


def machine(loaded: Loaded, root: Path) -> Iterator[Finding]:
    yield from here.findings(loaded.config, root)


def in_aws(config: "Config", clients: "Clients", reader: "Reader") -> Iterator[Finding]:
    """Yield what the account shows; only one line when AWS refuses the caller."""
    scope = Scope(
        config.network.vpc,
        config.compute.instance_type,
        config.load_balancer.certificate or "",
        partial(account.attempts, config),
    )
    try:
        facts = preflight.read(clients, scope)
    except Exception as error:
        refusal = aws.translate(error)
        if refusal is None:
            raise
        yield Finding("account", "blocking", refusal.message, refusal.hint or "")
        return
    now = reader(Look(_PARTS))
    assert facts.identity is not None
    yield from account.identity(config, facts.identity, now.at)
    yield from account.rights(config, facts, now)
    yield from account.quotas(config, facts, now)
    yield from network.findings(config, facts)
    yield from _system(config, reader, now)
    yield from system.causes(reader(EVERYTHING))
    yield from system.certificate(config, facts, now.at)


def _system(config: "Config", reader: "Reader", now: Snapshot) -> Iterator[Finding]:
    for one in now.unread:
        yield Finding(one.part.replace("_", " "), "unknown", one.reason, one.hint or "")
    known = {one.part for one in now.unread}
    if "stacks" not in known:
        yield from system.stacks(now)
        exist = reader(Look(frozenset({"taken"}), (), wanted=system.wanted(config, now)))
        yield from system.taken(exist.taken)
    if "secrets" not in known:
        yield from system.secrets(config, now)
    if "newest_image" not in known:
        wanted = system.machine_image(config, now)
        look = Look(frozenset({"taken"}), (), wanted=(wanted,) if wanted else ())
        yield from system.image(config, now, reader(look).taken)
