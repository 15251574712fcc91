"""The one list of directives: their names, and the order in which filters run.

A filter module in `service/filters/` has

    Options                      a frozen dataclass
    parse(directive) -> Options  called once for each occurrence; raises CaddyfileError with
                                 file and line; needs no secrets, no network
    build(options, site) -> Filter | None
                                 called once for each site; `options` is the tuple of parse's
                                 results in file order, never empty; registers start-up,
                                 shutdown and status with the site
    check(options) -> None       optional: refuses occurrences that do not fit together
    MAY_REPEAT = True            optional: without it a second occurrence in a block is an
                                 error at its line, found before `build`, which may then take
                                 `(one,) = options`

Checking a Caddyfile imports these modules, so `build` imports the libraries that serving needs.
"""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

from service.caddyfile import Directive, ServerBlock
from service.caddyfile.addresses import Address, parse_address
from service.chain import Filter, Site
from service.errors import CaddyfileError

# In order of execution: the first is outermost.
NAMES = (
    "secrets",
    "awscloudwatch",
    "redir",
    "reauth",
    "transformrequest",
    "redis",
    "transformresponse",
)


@dataclass(frozen=True, slots=True)
class SitePlan:
    """One address, and the parsed options of its directives in order of execution."""

    address: Address
    options: tuple[tuple[str, tuple[Any, ...]], ...]

    def build(self) -> tuple[Site, tuple[Filter, ...]]:
        """Build the site and its filters.

        Secrets are read here; connections are opened at start-up.
        """
        site = Site(host=self.address.host, port=self.address.port)
        filters = (_module(name).build(options, site) for name, options in self.options)
        return site, tuple(one for one in filters if one is not None)


def plan(blocks: Sequence[ServerBlock]) -> tuple[SitePlan, ...]:
    """Validate the whole file. Each key of a block becomes its own site."""
    sites: dict[Address, SitePlan] = {}
    for block in blocks:
        options = _options(block)
        for token in block.addresses:
            address = parse_address(token)
            if address in sites:
                raise CaddyfileError(
                    f"duplicate site address: {address}", file=token.file, line=token.line
                )
            sites[address] = SitePlan(address, options)
    return tuple(sites.values())


def _options(block: ServerBlock) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    by_name: dict[str, list[Directive]] = {}
    for directive in block.directives:
        if directive.name not in NAMES:
            raise _error(directive, _unknown(directive.name))
        if directive.name in by_name and not _may_repeat(directive.name):
            first = by_name[directive.name][0]
            raise _error(
                directive,
                f"'{directive.name}' is already at {first.file}:{first.line};"
                " it may stand in a block once",
            )
        by_name.setdefault(directive.name, []).append(directive)
    parsed = {name: _parse(name, several) for name, several in by_name.items()}
    return tuple((name, parsed[name]) for name in NAMES if name in parsed)


def _parse(name: str, directives: Sequence[Directive]) -> tuple[Any, ...]:
    module = _module(name)
    options = tuple(module.parse(directive) for directive in directives)
    if hasattr(module, "check"):
        module.check(options)
    return options


def _module(name: str) -> ModuleType:
    return import_module(f"service.filters.{name}")


def _may_repeat(name: str) -> bool:
    return getattr(_module(name), "MAY_REPEAT", False)


def _unknown(name: str) -> str:
    nearest = difflib.get_close_matches(name, NAMES, n=1)
    hint = f"did you mean '{nearest[0]}'? " if nearest else ""
    return f"Unknown directive '{name}': {hint}allowed are {', '.join(NAMES)}"


def _error(directive: Directive, message: str) -> CaddyfileError:
    return CaddyfileError(message, file=directive.file, line=directive.line)
