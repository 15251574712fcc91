"""The one list of words in a name that say that its value is a secret."""

import re

WORD = re.compile(
    r"passwor[dt]|passwd|passphrase|pwd|secret(?!ar)|token(?!iz)|credential|authorization|cookie"
    r"|(?:api|access|private|encryption|signing|master|shared|account|session)[_-]?key"
    # Short words count only as a part of a name: DB_PASS, dbPass, x-auth; not `compass`, `author`.
    r"|(?<![a-z])(?:pass|auth)(?![a-z])|(?-i:(?<=[a-z])(?:Pass|Auth)(?![a-z]))",
    re.IGNORECASE,
)
# Endings of names that say where a secret is, or how many there are, and not what it is.
_ABOUT = re.compile(
    r"(?:file|path|arn|arns|name|names|url|uri|type|count|limit|length|ttl|stdin|expir\w*|versions?)$",
    re.IGNORECASE,
)


def looks_secret(name: str) -> bool:
    return WORD.search(name) is not None and not _ABOUT.search(name)
