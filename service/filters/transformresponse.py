"""`transformresponse`: write what was read from the store as the JSON that clients see."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from service.caddyfile import Directive
from service.chain import Exchange, Filter, Handler, Response, Site
from service.entities.commands import Entity, Hash, Read
from service.errors import CaddyfileError


@dataclass(frozen=True, slots=True)
class Options:
    pass


def parse(directive: Directive) -> Options:
    if directive.args or directive.block is not None:
        raise CaddyfileError(
            "transformresponse takes neither arguments nor a block",
            file=directive.file,
            line=directive.line,
        )
    return Options()


def build(options: tuple[Options, ...], site: Site) -> Filter:
    from service.entities import document  # checking a Caddyfile needs no JSON

    return TransformResponse(document.entity, document.entities)


class TransformResponse:
    def __init__(
        self,
        one: Callable[[Entity, Hash], bytes],
        several: Callable[[Read, Sequence[Hash]], bytes],
    ) -> None:
        self._one = one
        self._several = several

    async def __call__(self, exchange: Exchange, call_next: Handler) -> Response:
        command, reply = exchange.command, exchange.reply
        if not isinstance(command, Read) or reply is None:
            return await call_next(exchange)
        if command.batch:
            return Response(200, self._several(command, reply))
        return Response(200, self._one(command.entities[0], reply[0]))
