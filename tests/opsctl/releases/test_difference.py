"""What changed: named from two releases, or from what runs and what the config asks for."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from opsctl.errors import OpsError
from opsctl.releases import difference, facts
from opsctl.releases.difference import Changed, Difference
from opsctl.snapshot.releases import Release
from opsctl.snapshot.secret_versions import SecretVersion
from opsctl.snapshot.snapshot import Snapshot
from opsctl.snapshot.task_definitions import TaskDefinition, hashed
from opsctl.snapshot.tasks import Task
from tests.opsctl.snapshots import NEW, START, config, deployment, snapshot

BEFORE = Release(
    41,
    START,
    image="web@sha256:" + "1" * 64,
    commit="9f3c1e2a0b1c2d3e",
    content="c1",
    base="sha256:b1",
    caddyfile="h1",
    caddyfile_text=":80 {\n    redis a\n}\n",
    variables={"LEVEL": "x", "OLD": "y"},
    secrets={"ssm:/token": "7"},
    cpu=512,
    memory=400,
    desired=8,
)


def texts(after: Release, before: Release = BEFORE, **more: Any) -> dict[str, str]:
    return {one.topic: one.text for one in difference.between(before, after, **more)}


def test_a_release_does_not_differ_from_itself() -> None:
    assert difference.between(BEFORE, BEFORE) == ()


def test_each_topic_is_named() -> None:
    after = replace(
        BEFORE,
        image="web@sha256:" + "2" * 64,
        commit="c44d",
        dirty=True,
        base="sha256:b2",
        caddyfile="h2",
        caddyfile_text=":80 {\n    redis a fallback\n}\n",
        variables={"LEVEL": "z", "NEW": "n"},
        secrets={"ssm:/token": "8"},
        memory=512,
        desired=12,
    )
    assert texts(after, commits=("c44 raise", "b2 lower")) == {
        "commits": "9f3c1e2a0b1c -> c44d-dirty, 2 of them",
        "base": "the base image is another one: sha256:b2",
        "image": "sha256:111111111111 -> sha256:222222222222",
        "Caddyfile": "changed",
        "environment": "LEVEL has another value, NEW is new, OLD is gone",
        "secrets": "ssm:/token: version 7 -> version 8",
        "stack": "desired count 8 -> 12",
    }
    [file] = [one for one in difference.between(BEFORE, after) if one.topic == "Caddyfile"]
    assert file.lines == ("-    redis a", "+    redis a fallback")


def test_an_image_that_is_to_be_built_says_whether_its_content_differs() -> None:
    assert texts(replace(BEFORE, image="", content="c2"))["image"] == "its content differs"
    same = texts(replace(BEFORE, image=""))["image"]
    assert same == "to be built again, of the same content"


def test_facts_that_were_not_recorded_are_not_compared() -> None:
    bare = Release(0, START, image=BEFORE.image)
    assert difference.between(bare, replace(BEFORE, commit="", variables={})) == ()


def test_a_part_that_cannot_be_read_is_no_difference() -> None:
    unread = Difference("a", "b", (Changed("unread", "no", rolls=False),))
    assert unread.is_empty and unread.reasons == ()
    count = Difference("a", "b", (Changed("stack", "desired count 1 -> 2", rolls=False),))
    assert not count.is_empty and count.reasons == ()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (Changed("image", "a -> b"), "image"),
        (Changed("Caddyfile", "changed"), "Caddyfile"),
        (Changed("base", "another"), "base image"),
        (Changed("secrets", "x: 1 -> 2"), "secrets: x: 1 -> 2"),
    ],
)
def test_the_history_keeps_a_word_or_two(change: Changed, reason: str) -> None:
    assert Difference("a", "b", (change,)).reasons == (reason,)


ENVIRONMENT = config("ecs.environment={LEVEL: low}", "ecs.secrets={TOKEN: 'ssm:/token'}")


def now(*versions: SecretVersion, variables: Any = (), secrets: Any = (), **parts: Any) -> Snapshot:
    definition = TaskDefinition(
        NEW, ("web@sha256:2",), 512, 400, variables=variables, secrets=secrets
    )
    values: dict[str, Any] = {"task_definitions": (definition,), "secret_versions": versions}
    return snapshot(deployment("d", NEW), **{**values, **parts})


def test_ecs_says_what_runs_and_the_ledger_the_rest() -> None:
    known = replace(BEFORE, image="web@sha256:2", outcome="deployed", desired=3)
    variables = (("LEVEL", "x"), ("AWS_REGION", "r"))
    live = facts.live(now(variables=variables), (known,))
    assert (live.number, live.commit, live.variables) == (41, BEFORE.commit, {"LEVEL": "x"})
    assert (live.desired, live.definition) == (2, "web:2")


def test_without_a_ledger_what_runs_has_no_number() -> None:
    live = facts.live(now(), ())
    assert (live.number, live.image, live.commit) == (0, "web@sha256:2", "")


def test_an_environment_value_is_compared_by_its_hash() -> None:
    live = facts.live(now(variables=(("LEVEL", hashed("LEVEL", "high")),)), ())
    planned = replace(facts.planned(ENVIRONMENT, now()), image=live.image)
    assert texts(planned, live)["environment"] == "LEVEL has another value"
    assert "high" not in str(live) and "low" not in str(planned)


ARN = "arn:aws:ssm:eu-central-1:123456789012:parameter/token"


@pytest.mark.parametrize(
    ("secrets", "changed"),
    [
        ((("TOKEN", ARN),), ()),
        ((("TOKEN", f"{ARN}2"),), ("TOKEN",)),
        ((), ("TOKEN",)),
        ((("TOKEN", ARN), ("GONE", ARN)), ("GONE",)),
    ],
)
def test_a_variable_that_refers_to_another_secret_is_named(
    secrets: Any, changed: tuple[str, ...]
) -> None:
    assert facts.changed_references(ENVIRONMENT, now(secrets=secrets)) == changed


def test_without_a_record_the_age_of_the_tasks_says_whether_they_know_a_secret() -> None:
    old = (Task("t", "RUNNING", NEW, "d", created=START),)
    new = SecretVersion("ssm:/token", "8", START + timedelta(hours=1))
    live = facts.live(now(new, tasks=old), ())
    assert live.secrets == {"ssm:/token": difference.OLDER}
    planned = replace(facts.planned(ENVIRONMENT, now(new)), image=live.image)
    assert texts(planned, live)["secrets"] == "ssm:/token: an older version -> version 8"
    known = SecretVersion("ssm:/token", "8", START - timedelta(hours=1))
    assert facts.live(now(known, tasks=old), ()).secrets == {"ssm:/token": "8"}


def test_an_image_that_was_released_before_is_known_again() -> None:
    again = facts.of_image(Release(0, START), BEFORE.image, (BEFORE,))
    assert (again.commit, again.caddyfile_text) == (BEFORE.commit, BEFORE.caddyfile_text)
    assert facts.of_image(Release(0, START), "web@sha256:9", (BEFORE,)).commit == ""


def test_a_release_whose_secret_is_not_there_is_refused_with_the_command_that_sets_it() -> None:
    wanted = config("secrets.values={token: 'ssm:/token'}", "ecs.secrets={API: 'ssm:/api'}")
    with pytest.raises(OpsError, match=r"`ecs.secrets.API` refers to ssm:/api, which") as caught:
        facts.require_secrets(
            wanted, now(SecretVersion("ssm:/token", "8"), SecretVersion("ssm:/api"))
        )
    assert caught.value.hint == "opsctl secrets set ecs.secrets.API"
    facts.require_secrets(wanted, now(SecretVersion("ssm:/token", "8")))  # the other is unread


def test_a_release_whose_secret_is_marked_for_deletion_is_refused() -> None:
    wanted = config("ecs.secrets={API: 'secretsmanager:api'}")
    marked = SecretVersion("secretsmanager:api", "v1", deleted=True)
    with pytest.raises(OpsError, match=r"secretsmanager:api, which is marked for deletion") as it:
        facts.require_secrets(wanted, now(marked))
    assert it.value.hint == "opsctl secrets set ecs.secrets.API"


def test_an_older_release_needs_only_the_secrets_that_it_had() -> None:
    wanted = config("secrets.values={api: 'secretsmanager:api', token: 'ssm:/token'}")
    marked = now(SecretVersion("secretsmanager:api", "v1", deleted=True))
    facts.require_secrets(wanted, marked, Release(2, START, secrets={"ssm:/token": "8"}))
    with pytest.raises(OpsError, match="secretsmanager:api, which is marked for deletion"):
        facts.require_secrets(
            wanted, marked, Release(2, START, secrets={"secretsmanager:api": "1"})
        )
