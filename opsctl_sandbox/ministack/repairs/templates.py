"""Refuse templates that refer to resources or parameters that they do not have."""

from typing import Any

from ministack.services.cloudformation import engine


def install() -> None:
    """Check after ministack's own check of a template's form, for every call."""
    original = engine._validate_template_statics

    def validate(template: dict[str, Any]) -> None:
        original(template)
        for block in ("Resources", "Outputs"):
            if missing := unresolved(template, block):
                raise ValueError(
                    f"Unresolved resource dependencies [{', '.join(missing)}] in the {block} "
                    "block of the template"
                )

    engine._validate_template_statics = validate


def unresolved(template: dict[str, Any], block: str) -> list[str]:
    """Return the names in a block that are neither resources nor parameters, each once."""
    known = {*(template.get("Resources") or {}), *(template.get("Parameters") or {})}
    named = (name for name, _ in engine._intrinsic_references(template.get(block) or {}))
    return sorted({name for name in named if name not in known and not name.startswith("AWS::")})
