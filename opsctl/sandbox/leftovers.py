"""Containers of a sandbox that was killed: found by their label, removed with what they ran."""

from concurrent.futures import ThreadPoolExecutor

from opsctl.sandbox.home import Home


def remove(home: Home) -> int:
    """How many there were; then the last sandbox is forgotten. Only for one that does not run.

    Raises DockerError when the engine that it used does not answer any more.
    """
    last = home.last()
    if last is None or not last.engine:
        return 0
    # Imported late: the SDK takes its time, and only sandboxes with containers need it.
    from opsctl.sandbox import choice
    from opsctl.sandbox.host.containers import label

    engine = choice.engine_at(last.engine)
    found = engine.labelled("=".join(label(home.path)))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(engine.remove, [container for container, _ in found]))
    engine.remove_images(f"127.0.0.1:{last.port}", {reference for _, reference in found})
    engine.close()
    home.forget()
    return len(found)
