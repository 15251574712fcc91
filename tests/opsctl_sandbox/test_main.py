"""The sandbox as a program: however it is ended, it cleans up."""

import signal

import pytest

from opsctl_sandbox import __main__ as program

ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.mark.parametrize("number", ENDS)
def test_what_ends_it_lets_it_clean_up_once(
    number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    # `timeout` and a closed terminal ended a rehearsal, and left its sandbox behind.
    before = {one: signal.getsignal(one) for one in ENDS}
    try:
        assert program.main(["rehearsals"]) == 0
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
        for one in ENDS:
            signal.raise_signal(one)  # which comes again, to all of them
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
    assert capsys.readouterr().out
