"""Parse a Caddyfile into server blocks. The grammar is Caddy v1.0.5's, including its quirks."""

from service.caddyfile.parser import parse
from service.caddyfile.tokens import Directive, ServerBlock, Token

__all__ = ["Directive", "ServerBlock", "Token", "parse"]
