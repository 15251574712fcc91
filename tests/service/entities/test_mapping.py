"""Requests to commands, in the default mapping and in another team's."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.chain import Request
from service.entities import template
from service.entities.commands import Command, Delete, Read, Replace, Update
from service.entities.mapping import Mapper
from service.errors import FilterError

PATH = "/v1/cids/{cid}/entity_types/{type}/domains/{domain}/keys/{key}"
CONTEXT = {"scope": {"cids": ["c1", "c2"]}}
MAPPER = Mapper(
    template.compile(PATH, {"key": "[^/ ]+"}, "[A-Za-z0-9_.-]+", "cid"),
    re.compile("[A-Za-z][A-Za-z0-9_]*"),
    True,
    datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC).timestamp,
)


def command(
    method: str,
    path: str = "/v1/cids/c1/entity_types/user/domains/a.b/keys/k",
    query: str = "",
    body: str = "",
    context: Any = CONTEXT,
) -> Command:
    headers = [(b"content-type", b"application/x-www-form-urlencoded; charset=utf-8")]
    request = Request(
        method,
        path.encode(),
        path=path,
        query_string=query.encode(),
        body=body.encode(),
        headers=headers,
    )
    return MAPPER(request, context)


def refused(status: int, method: str, **given: Any) -> FilterError:
    with pytest.raises(FilterError) as caught:
        command(method, **given)
    assert caught.value.status == status, caught.value.detail
    return caught.value


@given(st.text("ab=&1+%[$", max_size=12))
@example("a=1&b")
@example("a&b=1=2")
@example("a=1=b=2")
@example("a=1&b=2&")
def test_a_form_of_names_that_came_before_is_read_like_any_other(form: str) -> None:
    for known in ("a=1&b=2", "b=1&a=2", "a=1"):
        command("PUT", body=known)
    assert _command_or_status(body=form) == _command_or_status(query=form)


def _command_or_status(**given: str) -> Command | int:
    try:
        return command("PUT", **given)
    except FilterError as error:
        return error.status


def test_get_reads_one_hash() -> None:
    read = command("GET")
    assert isinstance(read, Read)
    assert read.entities[0].store_key == b"c1:user:a.b:k"
    assert read.entities[0].head == b'{"type":"user","domain":"a.b","key":"k"'
    assert (read.fields, read.batch) == (None, False)


def test_get_of_some_fields_names_each_once() -> None:
    read = command("GET", query="fields=a,b,a")
    assert isinstance(read, Read)
    assert read.fields == (b'"a"', b'"b"')


def test_a_bare_comma_separates_keys_and_an_encoded_one_does_not() -> None:
    read = command("GET", "/v1/cids/c1/entity_types/u/domains/d/keys/a,b%2Cc,d%3Ae")
    assert isinstance(read, Read)
    assert [e.store_key for e in read.entities] == [
        b"c1:u:d:a",
        b"c1:u:d:b%2Cc",
        b"c1:u:d:d%3Ae",
    ]
    assert read.entities[1].head == b'{"type":"u","domain":"d","key":"b,c"'
    assert read.batch


def test_put_replaces_with_what_query_and_form_hold() -> None:
    replace = command("PUT", query="a=1&security_context=x", body="b=[x,]")
    assert isinstance(replace, Replace)
    assert replace.members == (b'"a"', b'"1"', b'"b"', b'["x",""]')
    assert replace.last_update == b'"2026-11-23T01:02:03Z"'


def test_put_without_attributes_is_an_empty_entity() -> None:
    replace = command("PUT")
    assert isinstance(replace, Replace) and replace.members == ()


def test_post_updates_in_the_order_given() -> None:
    update = command("POST", query="b=$INCR&a=$DELETE")
    assert isinstance(update, Update)
    assert [(c.name, c.verb) for c in update.changes] == [(b'"b"', "add"), (b'"a"', "delete")]


def test_delete_deletes() -> None:
    assert isinstance(command("DELETE"), Delete)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1/main.go",
        "/v1/cids/c1/entity_types/u/domains/d/keys/",
        "/v1/cids/c1/entity_types/u/domains/d/keys/k/",
        "/x/v1/cids/c1/entity_types/u/domains/d/keys/k",
        "/v1/cids//entity_types/u/domains/d/keys/k",
        "/v1/cids/c1/entity_types/u%3A/domains/d/keys/k",
        "/v1/cids/c1/entity_types/u/domains/d/keys/a,,b",
        "/v1/cids/c1/entity_types/u/domains/d/keys/%ff",
    ],
)
def test_a_path_that_does_not_name_an_entity_is_a_bad_request(path: str) -> None:
    refused(400, "GET", path=path)


@pytest.mark.parametrize(
    "context",
    [None, {}, {"scope": None}, {"scope": {"cids": None}}, {"scope": {"cids": ["c"]}}, [], "c1"]
    + [{"scope": {"cids": "c1"}}],
)
def test_a_context_that_does_not_hold_the_cid_forbids(context: Any) -> None:
    refused(403, "GET", context=context)


def test_the_names_in_a_context_are_read_without_case() -> None:
    assert command("GET", context={"Scope": {"CIDs": ["c1"]}})


@pytest.mark.parametrize(
    "query",
    ["a=1&a=2", "a=1&%61=2", "1a=1", "a-b=1", "=1", "a=$WHAT", "a=[", "a=%", "%=1", "a%zz=1"],
)
@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_bad_attributes_are_a_bad_request(method: str, query: str) -> None:
    refused(400, method, query=query)


def test_put_takes_no_commands_and_no_list_of_keys() -> None:
    refused(400, "PUT", query="a=$INCR")
    refused(400, "PUT", path="/v1/cids/c1/entity_types/u/domains/d/keys/a,b")


def test_other_methods_are_told_which_ones_there_are() -> None:
    assert refused(405, "PATCH").headers == ((b"allow", b"GET, HEAD, PUT, POST, DELETE, OPTIONS"),)


def test_a_body_that_is_not_a_form_is_not_guessed_at() -> None:
    path = b"/v1/cids/c1/entity_types/u/domains/d/keys/k"
    request = Request("PUT", path, path=path.decode(), body=b"{}")
    with pytest.raises(FilterError) as caught:
        MAPPER(request, CONTEXT)
    assert caught.value.status == 415


def test_another_mapping_is_a_template() -> None:
    other = template.compile("/things/{name}", {}, "[a-z]+", "")
    owner, (entity,), batch = other.match("/things/x")
    assert (owner, entity, batch) == ("", (b"x", b'{"name":"x"', "x"), False)


@pytest.mark.parametrize(
    ("text", "rules", "owner"),
    [
        ("things/{a}", {}, ""),
        ("/things", {}, ""),
        ("/{a}/{a}", {}, ""),
        ("/{}", {}, ""),
        ("/{a}", {"b": "x"}, ""),
        ("/{a}", {}, "a"),
        ("/{a}/{b}", {}, "c"),
    ],
)
def test_a_wrong_template_is_refused(text: str, rules: dict[str, str], owner: str) -> None:
    with pytest.raises(ValueError):
        template.compile(text, rules, ".*", owner)
