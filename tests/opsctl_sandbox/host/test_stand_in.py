import asyncio
import urllib.request

from opsctl_sandbox.host.stand_in import StandIn


def test_it_answers_for_a_simulated_task() -> None:
    async def test() -> tuple[int, str]:
        stand_in = StandIn()
        assert stand_in.address is None
        await stand_in.open()
        assert stand_in.address is not None
        url = "http://{}:{}/v1/anything".format(*stand_in.address)
        try:
            return await asyncio.to_thread(ask, url)
        finally:
            await stand_in.close()

    assert asyncio.run(test()) == (200, "a task of the simulation\n")


def ask(url: str) -> tuple[int, str]:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.status, answer.read().decode()
