"""`opsctl doctor` as a process: without a config, without an account, and in the sandbox."""

import json

from opsctl.cli.screens.console import Console
from opsctl.cli.screens.doctor import DoctorScreen
from opsctl.doctor.finding import Finding
from tests.opsctl.cli.conftest import System


def test_the_account_is_looked_at_beside_this_machine(system: System) -> None:
    done = system.run("doctor", "--json")
    *found, last = map(json.loads, done.stdout.splitlines())
    areas = {one["area"]: one["level"] for one in found}
    assert areas["account"] == areas["network"] == "ok" or "unknown" in areas.values(), done.stdout
    # The directory has no template; everything in the account is fine.
    assert areas["caddyfile"] == "blocking" and done.returncode == 1
    assert (last["type"], last["blocking"]) == ("doctor", 1), done.stdout


def test_a_config_that_is_wrong_is_the_one_finding(system: System) -> None:
    (system.folder / "opsctl.yaml").write_text("name: web\nnetwrok: {}\n")
    done = system.run("doctor")
    assert done.returncode == 1
    assert "blocking  config" in done.stdout and "netwrok" in done.stdout


def test_without_an_account_the_rest_is_looked_at(system: System) -> None:
    del system.variables["AWS_ENDPOINT_URL"]
    for name in list(system.variables):
        if name.startswith("AWS_"):
            del system.variables[name]
    system.variables |= {"HOME": str(system.folder), "AWS_EC2_METADATA_DISABLED": "true"}
    done = system.run("doctor")
    assert done.returncode == 1 and "blocking  account" in done.stdout
    assert "Region" in done.stdout and 'eval "$(opsctl sandbox env)"' in done.stdout


def test_the_exit_code_is_that_of_the_worst_finding() -> None:
    for level, code in (("ok", 0), ("unknown", 0), ("warning", 10), ("blocking", 1)):
        screen = DoctorScreen(Console(json=True))
        screen.show(Finding("config", "warning" if level == "blocking" else "ok", "first"))
        screen.show(Finding("config", level, "second", "opsctl config check"))  # type: ignore[arg-type]  # a table of levels
        assert screen.end() == code
