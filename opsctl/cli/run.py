"""Drive a procedure for a person: show its items, ask its questions, handle Ctrl-C."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from opsctl import aws
from opsctl.cli import recording
from opsctl.cli.interrupt import Choice, ask
from opsctl.cli.screens.console import Console
from opsctl.cli.screens.screen import Screen
from opsctl.outcome import Outcome
from opsctl.procedure import Driver, Failed, Notice, Procedure, Question

if TYPE_CHECKING:
    from opsctl.cli.options import Invocation


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers of the command line: `--yes`, and the names after `--confirm`."""

    yes: bool = False
    confirm: Sequence[str] = ()

    def to(self, question: Question, console: Console) -> bool:
        if question.unasked is not None:
            # `--yes` agrees to the plan, which did not contain this.
            if self.yes or not console.interactive:
                return question.unasked
            return console.confirm_soon(question.text, otherwise=question.unasked)
        if question.name:
            return console.confirm_name(question.text, question.name, confirmed=self.confirm)
        return console.confirm(question.text, yes=self.yes)


def run(
    invocation: "Invocation",
    procedure: Procedure[Any],
    *screens: Screen,
    answers: Answers | None = None,
) -> Any:
    """Run the procedure and return its result. It cleans up after itself however this ends.

    A procedure that changes something (it has `answers`) is recorded, explained when it fails, and
    goes on to its end when nobody reads its output any more.
    """
    if answers is not None:
        recording.begin(invocation)
        invocation.console.goes_on = True
    driver = Driver(procedure, look=invocation.reader, sleep=invocation.sleep)
    try:
        while not _ended(invocation, driver, screens, answers or Answers()):
            pass
    finally:
        _pause(screens)
        driver.close()
        _tell_left(invocation)
    return driver.result


def _ended(
    invocation: "Invocation", driver: Driver, screens: Sequence[Screen], answers: Answers
) -> bool:
    """Show items until the end, or until Ctrl-C was answered with going on."""
    console, recorder = invocation.console, invocation.recorder
    try:
        for item in driver:
            if recorder is not None:
                recorder.take(item)
            if isinstance(item, Question):
                _pause(screens)
                answer = answers.to(item, console)
                driver.answer(answer)
                if recorder is not None:
                    recorder.answered(item.text, answer)
            elif isinstance(item, Failed):
                _pause(screens)
                driver.answer(_explained(invocation, item.outcome))
            elif isinstance(item, Notice):
                (console.warn if item.warning else console.say)(console.hint(item.text))
            else:
                any(screen.show(item) for screen in screens)
    except KeyboardInterrupt:
        waiting = driver.waiting
        if waiting is None and driver.interrupt():
            return False
        if waiting is None or not waiting.subject:
            if driver.subject:
                _tell_running(console, driver)
            raise
        _pause(screens)
        choice = ask(console, waiting)
        if choice is Choice.CANCEL:
            driver.cancel()
        elif choice is Choice.DETACH:
            driver.detach()
        return False
    except BaseException as error:
        # Between two waits: a signal, or AWS refuses a step, for instance expired credentials.
        step = not driver.alone and aws.fault(error) is not None
        signaled = not isinstance(error, Exception)
        if driver.subject and (driver.waiting is not None or signaled or step):
            with suppress(OSError):  # the terminal may be closed
                _tell_running(console, driver)
        raise
    return True


def _tell_running(console: Console, driver: Driver) -> None:
    how = (
        "this continues in AWS: the same command joins it again"
        if driver.alone
        else "this stops half-way: the same command goes on from there"
    )
    console.warn(f"{driver.subject}, and {how}")


def _explained(invocation: "Invocation", outcome: Outcome) -> Outcome:
    """Return the outcome with the causes of this command's recording, which are shown."""
    from opsctl.cause.looks import EVERYTHING
    from opsctl.cli.screens import causes

    recorder = invocation.recorder
    if recorder is None:
        return outcome
    try:
        with invocation.clients.briefly():
            look = replace(EVERYTHING, consoles=recorder.history.never_joined)
            recorder.take(invocation.reader(look))
    except Exception as error:
        # Explain what was seen until now.
        if aws.fault(error) is None:
            raise
    explained = recorder.explain(outcome)
    causes.show_failure(invocation.console, recorder.causes(), explained.reason)
    return explained


def _tell_left(invocation: "Invocation") -> None:
    if "clients" not in vars(invocation):
        return
    left, invocation.clients.left = invocation.clients.left, []
    for text in left:
        invocation.console.warn(invocation.console.hint(text))


def _pause(screens: Sequence[Screen]) -> None:
    for screen in screens:
        screen.pause()
