"""What a namespace begins with, and how it ends."""

from __future__ import annotations

import pytest

from controlplane.controllers.garbage import GarbageCollector
from controlplane.controllers.namespace import NamespaceController
from controlplane.controllers.serviceaccount import ROOT_CA, RootCAController, ServiceAccountController
from kubeapi.core_v1.types import ConfigMap, Namespace, Pod, Secret, ServiceAccount
from kubeapi.errors import ApiError
from naru.simulation.virtual import virtually
from tests.plane import Plane


def test_every_namespace_has_its_account_and_the_clusters_ca_again_and_again() -> None:
    async def story() -> None:
        async with Plane.running(ServiceAccountController, RootCAController) as plane:
            await plane.make(Namespace, "a")
            made = await plane.until(ServiceAccount, lambda found: any(o.metadata.namespace == "a" for o in found))
            assert {o.metadata.name for o in made} == {"default"}
            maps = await plane.until(ConfigMap, lambda found: any(o.metadata.namespace == "a" for o in found))
            assert all(o.metadata.name == ROOT_CA and o.data == {"ca.crt": "CA"} for o in maps)

            await plane.client.delete(ServiceAccount, "default", "a")
            await plane.until(ServiceAccount, lambda found: any(o.metadata.namespace == "a" for o in found))
            await plane.client.patch(ConfigMap, ROOT_CA, {"data": {"ca.crt": "forged"}}, "a")
            await plane.until(ConfigMap, lambda found: all(o.data == {"ca.crt": "CA"} for o in found))

    virtually(story)


def test_a_deleted_namespace_takes_all_it_holds_along() -> None:
    async def story() -> None:
        parts = (NamespaceController, ServiceAccountController, RootCAController, GarbageCollector)
        async with Plane.running(*parts) as plane:
            await plane.make(Namespace, "a")
            await plane.until(ServiceAccount, lambda found: any(o.metadata.namespace == "a" for o in found))
            await plane.make(Secret, "s", "a")
            await plane.make(Pod, "p", "a", spec={"containers": [{"name": "c", "image": "i"}]})
            await plane.client.delete(Namespace, "a")
            await plane.until_gone(Namespace, "a", seconds=5)
            for model in (Secret, Pod, ConfigMap, ServiceAccount):
                assert (await plane.client.list(model, "a")).items == []

    virtually(story)


def test_what_a_finalizer_holds_keeps_the_namespace_which_says_so_and_takes_nothing_new() -> None:
    async def story() -> None:
        async with Plane.running(NamespaceController) as plane:
            await plane.make(Namespace, "a")
            await plane.make(ConfigMap, "held", "a", metadata={"finalizers": ["example.com/hold"]})
            await plane.client.delete(Namespace, "a")
            found = await plane.until(
                Namespace, lambda found: any(o.metadata.name == "a" and o.status.conditions for o in found)
            )
            (namespace,) = [n for n in found if n.metadata.name == "a"]
            told = {c.type: (c.status, c.message) for c in namespace.status.conditions}
            assert namespace.status.phase == "Terminating"
            assert told["NamespaceContentRemaining"] == (
                "True",
                "Some resources are remaining: configmaps. has 1 resource instances",
            )
            assert told["NamespaceFinalizersRemaining"] == (
                "True",
                "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances",
            )
            assert told["NamespaceDeletionContentFailure"][0] == "False"
            with pytest.raises(ApiError) as refused:
                await plane.make(ConfigMap, "new", "a")
            assert refused.value.code == 403
            await plane.client.patch(ConfigMap, "held", {"metadata": {"finalizers": None}}, "a")
            await plane.until_gone(Namespace, "a", seconds=5)

    virtually(story)
