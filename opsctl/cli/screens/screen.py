"""The interface of screens: show known items, and make room for a question."""


class Screen:
    def show(self, item: object) -> bool:
        """Show the item. Returns False when this screen does not know it."""
        raise NotImplementedError

    def pause(self) -> None:
        """Stop drawing, for a question or at the end; `show` starts again."""
