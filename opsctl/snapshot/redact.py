"""Mask secrets in text that others wrote: log lines, reasons, URLs. Pure.

opsctl itself never holds a secret's value; this is for what a container or a caller printed. A
value is what follows a name that says so (`config/secret_words.py`), in every notation that
programs print. When in doubt, more is masked. The time is linear in the length of the text.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from opsctl.config.secret_words import WORD, looks_secret

MASK = "•••"
# What programs write after a secret's name that is not its value: `API_KEY: is empty`.
_PROSE = re.compile(
    r"(?:the|this|is|was|are|has|must|may|can|cannot|could|does|not|no|missing|required|invalid|empty|set"
    r"|unset|variable|site|awscloudwatch|expired|none|null|nil|true|false|undefined|failed|unable|error|denied|access|request"
    r"|connection|permission|timeout|timed|unauthorized|forbidden|unknown|unexpected)"
    r"(?=[.,;:)\]}\"']*(?:\s|$)|,\")",
    re.IGNORECASE,
)
_NAME = r"[\w.-]"
_REST = re.compile(rf"{_NAME}*")
# From the end of a name to its value: `=`, `": "`, `", "value": "`, `>` of XML.
_ASSIGNS = re.compile(
    r"\\*[\"'`]?(?:(?P<eq>\s*(?:=>|:=|={1,2})\s*)|(?P<colon>\s*:\s*)"
    r"|\s*[,\n]\s*(?:-\s)?\s*\\*[\"']?\w*value\\*[\"']?\s*[=:]\s*|(?P<xml>>))",
    re.IGNORECASE,
)
_XML_PAIR = re.compile(r"</\w+>\s*<\w*value>", re.IGNORECASE)
# `--password VALUE`, `"--password", "VALUE"`
_FLAG = re.compile(r"\\*[\"']?,?[ \t]+(?!-)")
# `("password", "VALUE")`
_TUPLE = re.compile(r"\\*[\"'],\s*(?=\w?\\*[\"'])")
_OPENED = re.compile(r"(?:\(\s*b?|\[b)\\*[\"']$")
_CLOSED = re.compile(r"\\*[\"']?\s*[)\]]")
# `"value": "VALUE", "name": "` before a name
_VALUE_FIRST = re.compile(
    r"value\\*[\"']?\s*[=:]\s*(?P<quote>\\*[\"']|)(?P<value>(?:(?!value\\*[\"']?\s*[=:]).)*?)(?P=quote)\s*[,\n]\s*\\*[\"']?"
    r"(?:\w*key|name)\\*[\"']?\s*[=:]\s*\\*[\"']?$",
    re.IGNORECASE | re.DOTALL,
)
_NAMED = re.compile(r"(?:key|name)\\*[\"']?\s*[=:]\s*\\*[\"']?$", re.IGNORECASE)
_LONGEST_PAIR = 1000  # characters of `"value": "VALUE", "name": "`
_QUOTED = re.compile(r"(?:Secret\w{0,20}\((?:\w{1,20}=)?)?[bBrRuUfF]{0,2}(?P<quote>\\*[\"'])")
_BLOCK = re.compile(r"[|>][+-]?\d?[ \t]*(?P<lines>(?:\n(?:[ \t]+[^\n]*)?)+)")
_WORD_END = re.compile(r"\S*")
_PUNCTUATION = ",;:.)]}>\"'`"
# Words that a sentence may end with: `unable to pull secrets or registry auth: execution …`
_SHORT = re.compile(r"(?:pass|auth)$", re.IGNORECASE)
_LINE_END = re.compile(r"[^\n]*")
_ITEM = re.compile(r"[^,\]\n\"']+")
_PLURAL = re.compile(r"(?:d|t|n|l|key)s$", re.IGNORECASE)
_COUNT = re.compile(r"\d+(?=[,;})\]]*(?:\s|$)|,\")")
_LINE_START = re.compile(r"(?:^|\n)[ \t]*(?:-[ \t]+)?(?:export[ \t]+)?$")
_SCHEME = re.compile(r"(\w)://(?!\[)[^/\s:@]*:")
_PORT = re.compile(r"\d{1,5}(?=[/?#,]|$)")
_KEY_BLOCK = re.compile(
    r"(-----BEGIN [A-Z ]*PRIVATE KEY[A-Z ]*-----)(.*?)(-----END [A-Z ]*PRIVATE KEY|\Z)",
    re.DOTALL,
)
_KEY_BEGINS = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY(?!.*-----END)", re.DOTALL)
# A line of a key that was cut into lines. Digests are hexadecimal, in small letters.
_KEY_LINE = re.compile(r"^(?=.*[A-Z])(?=.*[a-z])(?=.*\d)[A-Za-z0-9+/]{60,76}={0,2}$", re.MULTILINE)
_TOKENS = (
    # An AWS access key id, by its fixed beginning.
    (re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"), MASK),
    # A JSON Web Token.
    (re.compile(r"(?<![\w-])eyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*"), MASK),
    # `basic authentication failed` is prose.
    (
        re.compile(r"\b((?i:bearer|basic)\s+)(?=[a-z.~-]*[A-Z0-9=_+/])[\w.~+/=-]{8,}"),
        rf"\g<1>{MASK}",
    ),
)


def redact(text: str) -> str:
    """Return `text` with everything masked that looks like a secret.

    Masking twice changes nothing.
    """
    if "PRIVATE KEY" in text:
        text = _KEY_BLOCK.sub(_masked_key, text)
    if len(text) >= 60:
        text = _KEY_LINE.sub(MASK, text)
    text = _cut(text, _values(text))
    if "://" in text:
        text = _cut(text, _passwords(text))
    for pattern, replacement in _TOKENS:
        text = pattern.sub(replacement, text)
    return text


def redact_lines(lines: Iterable[str]) -> tuple[str, ...]:
    """Return these lines masked, also those of a private key, which mean nothing by themselves."""
    masked, inside = list[str](), False
    for line in lines:
        inside = inside and "-----END" not in line and " " not in line.strip()
        masked.append(MASK if inside else redact(line))
        inside = inside or bool(_KEY_BEGINS.search(line))
    return tuple(masked)


def redacted(value: Any) -> Any:
    """Return a JSON value with every text in it masked; keys stay."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: redacted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [redacted(item) for item in value]
    return value


def _cut(text: str, spans: Iterator[tuple[int, int]]) -> str:
    """Return the text with a mask in the place of each span."""
    pieces, done = [], 0
    for start, end in spans:
        start = max(start, done)
        if end > start:
            pieces += [text[done:start], _masked(text[start:end])]
            done = end
    return "".join([*pieces, text[done:]])


def _masked(secret: str) -> str:
    """Return one mask for each line, so that the lines keep their numbers."""
    return "\n".join(MASK if line.strip() else line for line in secret.split("\n"))


def _masked_key(match: re.Match[str]) -> str:
    begin, inner, end = match.groups()
    return f"{begin}{_masked(inner)}{end}"


def _values(text: str) -> Iterator[tuple[int, int]]:
    """Yield where the values of secrets are, from left to right."""
    at = 0
    while word := WORD.search(text, at):
        start = word.start()
        while start > at and (text[start - 1].isalnum() or text[start - 1] in "_-."):
            start -= 1
        rest = _REST.match(text, word.end())
        assert rest is not None  # it may be empty
        end = rest.end()
        at = max(end, at + 1)
        name = text[start:end].rstrip(".-")
        end = start + len(name)
        if not looks_secret(name):
            continue
        if _NAMED.search(text, max(0, start - 40), start) and (
            first := _VALUE_FIRST.search(text, max(0, start - _LONGEST_PAIR), start)
        ):
            yield first.span("value")
        for span in _after(text, name, start, end):
            yield span
            at = max(at, span[1])


def _after(text: str, name: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the value that follows the name at these positions, if any."""
    quoted = start > 0 and text[start - 1] in "\"'"
    before = text[start - 2 : start - 1] if quoted else text[start - 1 : start]
    assigns = _ASSIGNS.match(text, end)
    if assigns and assigns["xml"]:
        # Not `ERR AUTH <password> called without any password`.
        stop = text.find("<", assigns.end()) if before == "<" else -1
        if stop >= 0 and text.startswith(f"</{name}", stop):
            yield assigns.end(), stop
        return
    if pair := _XML_PAIR.match(text, end):
        stop = text.find("<", pair.end())
        yield pair.end(), stop if stop >= 0 else len(text)
        return
    if assigns and not _is_resource(text, name, start, assigns):
        yield from _value(text, name, start, assigns, quoted=quoted)
    elif not assigns and name.startswith("-") and (flag := _FLAG.match(text, end)):
        yield from _taken(text, flag.end())
    elif not assigns and _opened(text, name, start) and (pair := _TUPLE.match(text, end)):
        spans = list(_taken(text, pair.end()))
        # A list of names has no end here, and stays.
        if _CLOSED.match(text, spans[-1][1]):
            yield from spans


def _opened(text: str, name: str, start: int) -> bool:
    """Whether a pair begins here, of which the name is one that says it is a secret's."""
    return bool(_OPENED.search(text[max(0, start - 8) : start])) and _ends(name)


def _ends(name: str) -> bool:
    """Whether the name ends with its word: `db_password`, not `password-missing`."""
    return any(word.end() == len(name) for word in WORD.finditer(name))


def _is_resource(text: str, name: str, start: int, assigns: re.Match[str]) -> bool:
    """Whether the name is a part of an action or ARN of Secrets Manager, or ends a URL, of which
    something is said: `POST https://auth.example.com/token: dial tcp`.
    """
    if not assigns["colon"]:
        return False
    return name.lower() == "secretsmanager" or bool(
        re.search(r":\d{12}:$|://[^\s?]{,200}/$", text[max(0, start - 210) : start])
    )


def _value(
    text: str, name: str, start: int, assigns: re.Match[str], *, quoted: bool
) -> Iterator[tuple[int, int]]:
    at = assigns.end()
    plural = _PLURAL.search(name)
    if _PROSE.match(text, at) or (plural and _COUNT.match(text, at)):
        return
    if assigns["colon"] and not quoted and _SHORT.fullmatch(name):
        return
    if quoted and text[at : at + 1] == "{" or re.match(r"\[\s*\{", text[at : at + 20]):
        return  # an object, whose own names are looked at next
    if assigns["colon"] and (block := _BLOCK.match(text, at)):
        yield block.span("lines")
        return
    if text[at : at + 1] == "[":
        yield from _items(text, at + 1)
        return
    # A header, a line of YAML, or of an environment file, ends with its line.
    header = re.search(r"(?i)authorization|cookie", name) and assigns["colon"]
    own_line = _LINE_START.search(text, max(0, start - 40), start) and (
        (assigns["colon"] and not plural) or (name.isupper() and assigns["eq"] == "=")
    )
    if (header or own_line) and not _QUOTED.match(text, at):
        line = _LINE_END.match(text, at)
        assert line is not None  # it may be empty
        end = line.end()
        if quoted and header:
            closing = text.find(text[start - 1], at, end)
            end = closing if closing >= 0 else end
        yield at, end
        return
    yield from _taken(text, at)


def _taken(text: str, at: int) -> Iterator[tuple[int, int]]:
    """Yield one value: to its closing quote, or to the next space."""
    while opened := _QUOTED.match(text, at):
        closing, at = _closing(text, opened)
        yield opened.end(), closing
        # A shell joins what follows without a space: 'a'"b"c
        if not re.match(r"[\w\"'$]", text[at : at + 1]):
            return
    word = _WORD_END.match(text, at)
    assert word is not None  # it may be empty
    # What ends a clause or closes a bracket says nothing about the secret.
    yield at, at + len(word[0].rstrip(_PUNCTUATION))


def _closing(text: str, opened: re.Match[str]) -> tuple[int, int]:
    """Return where the quoted value ends, and where its closing quote does."""
    quote = opened["quote"][-1]
    depth = len(opened["quote"]) - 1  # backslashes of a quote inside of another
    at = opened.end()
    while (position := text.find(quote, at)) >= 0:
        slashes = 0
        while position - slashes > at and text[position - slashes - 1] == "\\":
            slashes += 1
        # SQL and YAML double a quote, and a backslash is a character there.
        doubled = text[position + 1 : position + 2] == quote and not depth
        doubled = doubled and (not slashes or quote == "'")
        if doubled and position > opened.end():
            at = position + 2
        elif slashes < depth or slashes % (2 * (depth + 1)) == depth:
            return position - min(slashes, depth), position + 1
        else:
            at = position + 1
    return len(text), len(text)


def _items(text: str, at: int) -> Iterator[tuple[int, int]]:
    """Yield the values of a list, to its closing bracket."""
    while at < len(text) and text[at] != "]":
        spans = list(_taken(text, at)) if _QUOTED.match(text, at) else []
        if spans:
            yield from spans
            at = spans[-1][1] + 1
        elif (item := _ITEM.match(text, at)) and item[0].strip():
            yield item.span()
            at = item.end()
        else:
            at += 1


def _passwords(text: str) -> Iterator[tuple[int, int]]:
    """Yield the passwords of URLs: to the last `@`, because programs print them undecoded."""
    for run in re.finditer(r"\S+", text):
        last = text.rfind("@", run.start(), run.end())
        at = run.start()
        while last >= 0 and (scheme := _SCHEME.search(text, at, last)):
            at = scheme.end()
            web = text[max(0, scheme.start() - 4) : scheme.start() + 1].endswith(("http", "https"))
            port = web and _PORT.match(text, at)
            if not port and not text.startswith("@sha256:", last):
                yield at, last
                break
