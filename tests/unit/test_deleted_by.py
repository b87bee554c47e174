"""Who had a pod deleted: the API server notes it while the pod has time to end, and the pod's node tells it."""

from __future__ import annotations

from kubeapi.client.client import Client
from kubeapi.core_v1.types import Container, Pod
from kubeapi.errors import ApiError
from kubeapi.meta_v1.types import ObjectMeta
from kubeapi.names import CONTROLLERS, DELETED_BY
from naru.simulation.virtual import virtually
from tests.plane import Plane


async def deleted(program: str, node: str = "n") -> Pod | None:
    """A pod on a node after somebody's deletion; None where it went at once."""
    async with Plane.running() as plane:
        api = plane.client
        pod = Pod(metadata=ObjectMeta(name="p", namespace="default"))
        pod.spec.containers, pod.spec.node_name = [Container(name="c", image="i")], node
        await api.create(pod)
        asker = Client(api.transport, api.registry, program, user="mia", groups=("system:masters",))
        await asker.delete(Pod, "p", "default")
        if node:
            await api.delete(Pod, "p", "default", grace=1)  # somebody else is in a greater hurry
        try:
            return await api.get(Pod, "p", "default")
        except ApiError as error:
            assert error.code == 404
            return None


def test_who_asked_first_stays_with_the_pod_until_it_has_ended() -> None:
    async def story() -> None:
        left = await deleted("kubectl/v1.36.0 (linux/amd64)")
        assert left and left.metadata.annotations == {DELETED_BY: "mia with kubectl"}

    virtually(story)


def test_controllers_tell_their_deletions_themselves() -> None:
    async def story() -> None:
        left = await deleted(CONTROLLERS)
        assert left and left.metadata.deletion_timestamp and left.metadata.annotations == {}

    virtually(story)


def test_a_pod_that_goes_at_once_is_only_gone() -> None:
    async def story() -> None:
        assert await deleted("kubectl", node="") is None

    virtually(story)
