"""transformrequest, redis, transformresponse: text -> options or error, request -> response."""

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from service import directives
from service.caddyfile import parse
from service.chain import Exchange, Request, Response, link
from service.entities.commands import Delete, Entity
from service.errors import CaddyfileError, FilterError, StartError
from service.filters import redis, transformrequest, transformresponse
from service.stores.address import Address

PATH = "/v1/cids/c/entity_types/t/domains/d/keys/"
CHAIN = ":8082\ntransformrequest\nredis cache:6379 testing\ntransformresponse\n"


def plan(text: str) -> directives.SitePlan:
    (site,) = directives.plan(parse(text, "Caddyfile", environment={}))
    return site


def options(text: str) -> tuple[Any, ...]:
    site = plan(f":8082\n{text}\n")
    return tuple(one for _, options in site.options for one in options)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("transformrequest", transformrequest.Options()),
        ("transformrequest {\n scope off\n}", transformrequest.Options(scoped=False)),
        (
            "transformrequest /t/{cid}/{key} {\n part key [0-9]+\n attribute [a-z]+\n}",
            transformrequest.Options("/t/{cid}/{key}", {"key": "[0-9]+"}, "[a-z]+"),
        ),
        (
            "transformrequest /{team}/{name} {\n scope team\n}",
            transformrequest.Options("/{team}/{name}", {}, owner="team"),
        ),
        (
            "transformrequest {\n class team.mapping:Mapper\n}",
            transformrequest.Options(python="team.mapping:Mapper"),
        ),
        ("redis cache", redis.Options(Address("cache"))),
        ("redis unix:/run/r.sock", redis.Options(Address(path="/run/r.sock"))),
        ("redis c {\n timeout 1500ms\n}", redis.Options(Address("c"), timeout=1.5)),
        ("redis c {\n password p\n}", redis.Options(Address("c"), password="p")),
        ("redis cache:7 testing", redis.Options(Address("cache", 7), "testing")),
        ("redis cache fallback", redis.Options(Address("cache"), "fallback", timeout=0.05)),
        (
            "redis rediss://cache/1 fallback {\n user u\n password p\n timeout 20ms\n}",
            redis.Options(
                Address("cache", database=1, tls=True), "fallback", "u", "p", timeout=0.02
            ),
        ),
        (
            "redis rediss://cache {\n tls_ca /etc/ca.pem\n}",
            redis.Options(Address("cache", tls=True), tls_ca="/etc/ca.pem"),
        ),
        ("transformresponse", transformresponse.Options()),
    ],
)
def test_text_to_options(text: str, expected: object) -> None:
    assert options(text) == (expected,)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("transformrequest /{cid}/{key} x", 2, "takes one argument"),
        ("transformrequest /x", 2, "names its parts"),
        ("transformrequest /{a}/{key}", 2, "needs a part {cid}"),
        ("transformrequest {\n part key [\n}", 3, "not a regular expression"),
        ("transformrequest {\n part name x\n}", 2, "has no part {name}"),
        ("transformrequest {\n\n what\n}", 4, "lines are"),
        ("transformrequest {\n class x\n}", 3, "lines are"),
        ("transformrequest {\n attribute (\n}", 3, "not a regular expression"),
        ("transformrequest {\n part key\n}", 3, "lines are"),
        ("transformrequest {\n scope\n}", 3, "lines are"),
        ("transformrequest {\n scope nobody\n}", 2, "needs a part {nobody}"),
        ("redis", 2, "got 0 arguments"),
        ("redis a b c", 2, "got 3 arguments"),
        ("redis a fallbak", 2, "allowed are testing and fallback"),
        ("redis http://a", 2, "begins with"),
        ("redis redis://u:hunter2@a", 2, "never written in the address"),
        ("redis a {\n timeout 5\n}", 3, "not a time"),
        ("redis a {\n timeout 0s\n}", 3, "not a time"),
        ("redis a {\n retries 5\n}", 3, "lines are"),
        ("redis a {\n timeout 61s\n}", 3, "not a time"),
        ("redis a {\n timeout\n}", 3, "lines are"),
        ("redis a {\n password p q\n}", 3, "lines are"),
        ("redis a {\n user x\n}", 2, "needs a password"),
        ("redis a:70000", 2, "up to 65535"),
        ("redis redis://a/x", 2, "is a number"),
        ("redis redis://a?db=1", 2, "an address is host:port"),
        ("redis a {\n tls_ca x\n}", 3, "goes with an address of rediss://"),
        ("redis rediss://a {\n tls_ca\n}", 3, "lines are"),
        ("transformresponse x", 2, "takes neither"),
        ("transformresponse {\n}", 2, "takes neither"),
    ],
)
def test_wrong_text_is_an_error_at_its_line(text: str, line: int, message: str) -> None:
    with pytest.raises(CaddyfileError, match=message.replace("{", r"\{")) as caught:
        options(text)
    assert caught.value.line == line
    assert "hunter2" not in str(caught.value)


async def _end(exchange: Exchange) -> Response:
    return Response(404, b"end")


def answers(*requests: str, context: Mapping[str, Any] | None) -> list[Response | int]:
    """`METHOD key[?query]` each, to one chain; a FilterError is its status."""

    async def run() -> list[Response | int]:
        site = plan(CHAIN)
        shared, filters = site.build()
        handler = link(filters, _end)
        given: list[Response | int] = []
        for text in requests:
            method, _, rest = text.partition(" ")
            key, _, query = rest.partition("?")
            path = PATH + key
            exchange = Exchange(
                Request(method, path.encode(), path=path, query_string=query.encode())
            )
            exchange.security_context = context
            try:
                given.append(await handler(exchange))
            except FilterError as error:
                given.append(error.status)
        assert shared.status["redis"]()["state"] == "up"
        return given

    return asyncio.run(run())


def answer(response: Response | int) -> Any:
    assert isinstance(response, Response)
    return orjson.loads(response.body) if response.body else response.status


ALLOWED = {"scope": {"cids": ["c"]}}


@pytest.mark.parametrize(
    ("requests", "expected"),
    [
        (["GET k"], 404),
        (["PUT k"], 201),
        (["PUT k", "PUT k"], 204),
        (["POST k?a=1"], 204),
        (["DELETE k"], 204),
        (["PUT k?a=x", "DELETE k", "GET k"], 404),
        (["PUT k?a=x", "POST k?a=$INCR"], 409),
        (["POST k?a=$WHAT"], 400),
        (["PATCH k"], 405),
        (["OPTIONS k"], 204),
        (["OPTIONS k/x"], 400),
        (["OPTIONS %FF"], 400),
        (["PUT k?a=1&b=2", "PUT k?b=3", "GET k"], {"b": "3"}),
        (["PUT k?a=4&l=[]", "POST k?a=$INCR&l=$APPEND[x,]", "GET k"], {"a": "5", "l": ["x", ""]}),
        (["PUT k?a=1&b=x", "POST k?a=$INCR&b=$INCR", "GET k"], {"a": "1", "b": "x"}),
        (["PUT k?a=1&b=2", "GET k?fields=b,c"], {"b": "2"}),
        (["PUT k?s=y+e%20s&p=%25%26%2B%2C%3D%5D%5B", "GET k"], {"s": "y e s", "p": "%&+,=]["}),
    ],
)
def test_requests_to_responses(requests: list[str], expected: Any) -> None:
    last = answers(*requests, context=ALLOWED)[-1]
    if isinstance(expected, dict):
        entity = answer(last)
        assert entity.pop("last_update").endswith("Z")
        assert entity == {"type": "t", "domain": "d", "key": "k", "attributes": expected}
    else:
        assert (last if isinstance(last, int) else last.status) == expected


LIST = "PUT k?l=[a,,b,]&s=x&n=4"


@pytest.mark.parametrize(
    ("requests", "expected"),
    [
        ([LIST, "POST k?l=[]"], {"l": [], "s": "x", "n": "4"}),
        ([LIST, "POST k?l=$PREPEND(-2,-1,0,)"], ["-2", "-1", "0", "", "a", "", "b", ""]),
        ([LIST, "POST k?l=$APPEND[,]"], ["a", "", "b", "", "", ""]),
        ([LIST, "POST k?l=$APPEND[]"], ["a", "", "b", ""]),
        (["POST k?l=$PREPEND[a]&m=$APPEND(b,c)"], {"l": ["a"], "m": ["b", "c"]}),
        (["POST k?a=$INCR&b=$ADD(2.5)"], {"a": "1", "b": "2.5"}),
        (["PUT k?n=2.3", "POST k?n=$ADD(1.7)"], {"n": "4"}),
        (["PUT k?n=12"], {"n": "12"}),
        ([LIST, "POST k?l=$DELETE&s=$DELETE&none=$DELETE"], {"n": "4"}),
        (["PUT k"], {}),
        ([LIST, "POST k?s=$APPEND[a]"], 409),
        ([LIST, "POST k?s=$PREPEND[a]"], 409),
        ([LIST, "POST k?s=$ADD(1)"], 409),
        ([LIST, "POST k?l=$ADD(1)"], 409),
        ([LIST, "POST k?l=$INCR"], 409),
        ([LIST, "POST k?n=$INCR(1.2)"], 400),
        ([LIST, "POST k?n=$ADD"], 400),
        ([LIST, "POST k?n=1&n=2"], 400),
        ([LIST, "POST k?l=$APPEND[a"], 400),
        # One operation in conflict: nothing has changed, wherever it stands.
        ([LIST, "POST k?s=y&l=$INCR&n=$INCR"], {"l": ["a", "", "b", ""], "s": "x", "n": "4"}),
        ([LIST, "POST k?s=$INCR&n=$DELETE"], {"l": ["a", "", "b", ""], "s": "x", "n": "4"}),
        ([LIST, "POST k?l=$APPEND[z]&s=$APPEND[z]"], {"l": ["a", "", "b", ""], "s": "x", "n": "4"}),
        ([LIST, "POST k?n=$ADD(1)&new=1&s=$ADD(1)"], {"l": ["a", "", "b", ""], "s": "x", "n": "4"}),
    ],
)
def test_cases_of_the_original(requests: list[str], expected: Any) -> None:
    *_, last, read = answers(*requests, "GET k", context=ALLOWED)
    if isinstance(expected, int):
        assert last == expected
        return
    attributes = answer(read)["attributes"]
    assert (attributes["l"] if isinstance(expected, list) else attributes) == expected


def test_a_batch_gives_what_is_there_and_names_what_is_not() -> None:
    *_, batch = answers("PUT a?x=1", "PUT b?x=2", "GET a,b,c?fields=x", context=ALLOWED)
    entities = answer(batch)
    assert [e["attributes"] for e in entities["entities"]] == [{"x": "1"}, {"x": "2"}]
    assert entities["missing"] == ["c"]


def test_without_a_security_context_nothing_is_touched() -> None:
    assert answers("GET k", "PUT k", "POST k", "DELETE k", context=None) == [403] * 4


class Everything:
    """Another team's mapping: whatever comes is a DELETE of one entity."""

    def __call__(self, request: Request, context: Mapping[str, Any] | None) -> Delete:
        return Delete(Entity(request.raw_path))


def test_a_python_class_may_do_the_mapping() -> None:
    text = CHAIN.replace(
        "transformrequest", f"transformrequest {{\n class {__name__}:Everything\n}}"
    )
    site = plan(text)
    _, filters = site.build()
    request = Request("GET", b"/any", path="/any")

    async def run() -> Response:
        return await link(filters, _end)(Exchange(request))

    assert asyncio.run(run()).status == 204


@pytest.mark.parametrize("name", ["no.such:Class", "service.errors:Nothing"])
def test_a_class_that_is_not_there_is_a_start_error(name: str) -> None:
    site = plan(f":1\ntransformrequest {{\n class {name}\n}}")
    with pytest.raises(StartError, match="cannot load"):
        site.build()


def test_a_password_that_is_not_among_the_secrets_is_a_start_error() -> None:
    site = plan(":1\nredis a {\n password p\n}")
    with pytest.raises(StartError, match="no text named p"):
        site.build()
