"""Replace `{$NAME}` and `{%NAME%}` in a token by values of the environment.

v1 loops for ever on a value that refers to itself; here the work is limited.
"""

from collections.abc import Mapping

from service.caddyfile.tokens import Token
from service.errors import CaddyfileError

MOST_STEPS = 2_000
MOST_CHARACTERS = 10_000_000


class Environment:
    """The values, and how much replacement one Caddyfile may still cause."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self._budget = MOST_CHARACTERS

    def expand(self, token: Token) -> str:
        if "{" not in token.text:
            return token.text
        text = self._replace(token.text, "{%", "%}", token)
        return self._replace(text, "{$", "}", token)

    def _replace(self, text: str, start: str, end: str, token: Token) -> str:
        steps = 0
        while (begin := text.find(start)) != -1:
            stop = text.find(end, begin)
            if stop <= begin + len(start):  # no end mark, or an empty reference: v1 stops here
                break
            reference = text[begin : stop + len(end)]
            name = reference[len(start) : -len(end)]
            value = self._values.get(name, "")
            steps += 1
            self._budget -= len(text) + text.count(reference) * len(value)
            if steps > MOST_STEPS or self._budget < 0:
                raise CaddyfileError(
                    f"Environment variable '{name}' leads back to itself or grows too large",
                    file=token.file,
                    line=token.line,
                )
            text = text.replace(reference, value)
        return text
