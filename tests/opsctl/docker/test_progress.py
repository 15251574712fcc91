"""What a build says, as a line on the screen."""

from opsctl.docker.progress import plain


def test_the_colours_of_a_builds_commands_do_not_reach_the_screen() -> None:
    # pip's warnings came as `\x1b[91mWARNING`, each followed by a line with `[0m`.
    assert plain("\x1b[91mWARNING: retrying\n\x1b[0m") == "WARNING: retrying"
    assert plain("Step 1/2 : FROM scratch\n") == "Step 1/2 : FROM scratch"
    assert plain("\x1b[0m\n") == ""
