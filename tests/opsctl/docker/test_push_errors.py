"""A push's error by its status and code: digits in an account's number mean nothing."""

import pytest

from opsctl.docker import PushBroken, TagTaken, push_errors

HOST = "401403500401.dkr.ecr.eu-central-1.amazonaws.com"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        # C12: an account id with 401 in it, and a connection that broke.
        (f'Put "https://{HOST}/v2/web/blobs/uploads/1": EOF', "broken"),
        (f'Put "https://{HOST}/v2/web/blobs/uploads/1": unexpected EOF', "broken"),
        (f'Patch "https://{HOST}/v2/": write tcp 1.2.3.4:5->6.7.8.9:443: broken pipe', "broken"),
        (f"dial tcp: lookup {HOST} on 1.1.1.1:53: server misbehaving", "broken"),
        (f'Head "https://{HOST}/v2/": net/http: TLS handshake timeout', "broken"),
        ("received unexpected HTTP status: 500 Internal Server Error", "broken"),
        ("received unexpected HTTP status: 503 Service Unavailable", "broken"),
        (f"unexpected status from PUT request to https://{HOST}/v2/x: 502 Bad Gateway", "broken"),
        (f"unexpected status from PUT request to https://{HOST}/v2/x: 403 Forbidden", "denied"),
        ("error parsing HTTP 403 response body: invalid character '<'", "denied"),
        ("error parsing HTTP 429 response body: no error details", "broken"),
        ("toomanyrequests: Rate exceeded", "broken"),
        ("no basic auth credentials", "denied"),
        ("denied: Your authorization token has expired. Reauthenticate and try again.", "denied"),
        ("unauthorized: authentication required", "denied"),
        (f"login attempt to https://{HOST}/v2/ failed with status: 401 Unauthorized", "denied"),
        (
            f"name unknown: The repository with name 'web' does not exist in the registry with id "
            f"'{HOST[:12]}'",
            "refused",
        ),
        (
            "tag invalid: The image tag 'EOF-500' already exists in the 'web' repository and "
            "cannot be overwritten because the tag is immutable.",
            "taken",
        ),
        ("tag invalid: tag 'x' is immutable", "taken"),
        ("tag invalid: the tag is too long", "refused"),
        ("manifest invalid: timeout 401 denied", "refused"),
        ("something that nobody has seen: EOF 500 denied", "refused"),
    ],
)
def test_each_sentence_of_the_engine_means_one_thing(text: str, kind: str) -> None:
    assert push_errors.of(text) == kind


def test_a_code_that_the_engine_gives_is_believed() -> None:
    assert push_errors.of("a proxy's page", 502) == "broken"
    assert push_errors.of("a proxy's page", 401) == "denied"


def test_the_error_says_what_to_do() -> None:
    broken = push_errors.read({"error": f'Put "https://{HOST}/": EOF'}, "web:1")
    assert isinstance(broken, PushBroken)
    assert isinstance(push_errors.read({"error": "tag invalid: is immutable"}, "x"), TagTaken)
    denied = push_errors.read({"error": "denied: no"}, "web:1")
    assert denied is not None and "ecr:PutImage" in (denied.hint or "")
    assert push_errors.read({"status": "Pushing"}, "web:1") is None
