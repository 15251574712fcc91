"""What every screen is: it shows the items that it knows, and makes room for a question."""


class Screen:
    def show(self, item: object) -> bool:
        """Show the item; False when it is none of this screen's."""
        raise NotImplementedError

    def pause(self) -> None:
        """Stop drawing, for a question or the end; `show` begins again."""
