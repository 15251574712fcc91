"""`opsctl rehearse` as a user runs it: the list, the screen of a failure, its own exit code."""

from pathlib import Path

from tests.end_to_end.place import events, opsctl


def test_the_list_tells_what_goes_wrong_in_each(tmp_path: Path) -> None:
    listed = opsctl("rehearse", cwd=tmp_path)
    assert listed.returncode == 0
    assert "no-room" in listed.stdout and "superseded" in listed.stdout

    told = events(opsctl("rehearse", "--json", cwd=tmp_path), "rehearsal")
    assert [each["name"] for each in told] == [
        line.split()[0] for line in listed.stdout.splitlines()[1:]
    ]


def test_the_screen_is_that_of_the_command_and_a_failure_as_told_exits_0(tmp_path: Path) -> None:
    done = opsctl("rehearse", "access-denied", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert "  error: AWS refused CreateChangeSet" in done.stdout
    assert "- opsctl db up --yes" in done.stderr
    assert "exit code 3" in done.stderr
    assert "- opsctl why, afterwards: permission-missing: " in done.stderr


def test_a_file_of_ones_own_is_played_and_says_where_it_was_wrong(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "setup: nothing\n"
        "command: [db, up, --yes]\n"
        'faults: [{kind: denied, operation: "cloudformation:CreateChangeSet"}]\n'
        "cause: throttled\n"
    )
    done = opsctl("rehearse", "mine.yaml", cwd=tmp_path)

    assert done.returncode == 1, done.stderr
    assert "error: `mine` did not end as its file says" in done.stderr
    assert "afterwards: permission-missing" in done.stderr and "(and not throttled)" in done.stderr


def test_with_json_the_result_holds_what_the_command_printed(tmp_path: Path) -> None:
    done = opsctl("rehearse", "access-denied", "--json", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    result = events(done, "rehearsal_event")[-1]
    assert (result["kind"], result["exit_code"], result["otherwise"]) == ("result", 3, [])
    assert result["data"][-1]["error"] == "AwsError"
