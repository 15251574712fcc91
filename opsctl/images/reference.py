"""The grammar of `--image`. Pure.

A digest, a tag, `REPOSITORY:tag`, `URI:tag`, `URI@digest` or `URI:tag@digest`. Sources: the grammar
of distribution/reference, and the pattern of CreateRepository's repositoryName.
"""

import re
from dataclasses import dataclass

from opsctl.errors import ConfigError

FORMS = "sha256:DIGEST, TAG, REPOSITORY:TAG, URI:TAG, URI@sha256:DIGEST or URI:TAG@sha256:DIGEST"
_DIGEST = r"sha256:[0-9a-f]{64}"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_NAME = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_HOST = r"(?=[^/]*[.:]|localhost/)[A-Za-z0-9.-]+(?::[0-9]+)?"
_SHORT = re.compile(rf"(?P<digest>{_DIGEST})|(?P<tag>{_TAG})")
_LONG = re.compile(
    rf"(?:(?P<host>{_HOST})/)?(?P<repository>{_NAME}(?:/{_NAME})*)"
    rf"(?::(?P<tag>{_TAG}))?(?:@(?P<digest>{_DIGEST}))?"
)


@dataclass(frozen=True, slots=True)
class Reference:
    """`host` and `repository` are '' for the system's own.

    At least one of `tag` and `digest` is set.
    """

    tag: str = ""
    digest: str = ""
    repository: str = ""
    host: str = ""

    @property
    def version(self) -> str:
        return self.digest or self.tag


def parse(text: str) -> Reference:
    """Parse a reference. Raises ConfigError for any other form."""
    if short := _SHORT.fullmatch(text):
        return Reference(short["tag"] or "", short["digest"] or "")
    long = _LONG.fullmatch(text)
    if long is None or text.startswith("sha256:"):
        raise _refused(text)
    tag, digest, host = long["tag"] or "", long["digest"] or "", long["host"] or ""
    # Another repository is named with a tag, or with its full address and a digest.
    if not (tag or digest) or (not host and (digest or not tag)):
        raise _refused(text)
    return Reference(tag, digest, long["repository"], host)


def _refused(text: str) -> ConfigError:
    return ConfigError(f"`{text}` is not the reference of an image", hint=f"give {FORMS}")
