"""Generated names: the letters of Kubernetes' suffixes and hashes, which make no words that hurt."""

from __future__ import annotations

from random import Random

ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


def random_suffix(rng: Random) -> str:
    """Five letters, as metadata.generateName gets them."""
    return "".join(rng.choice(ALPHABET) for _ in range(5))


def safe_encoded(text: str) -> str:
    """Each character of `text` as one of the letters (rand.SafeEncodeString)."""
    return "".join(ALPHABET[ord(c) % len(ALPHABET)] for c in text)


# What makes volumes of Docker's: the provisioner of the default StorageClass, the CSI driver that its volumes name, and the
# finalizer by which a volume's node takes the data away first. A driver's name is a DNS subdomain, a finalizer's has a path.
DOCKER_VOLUMES = "docker-volume.naru.dev"
DOCKER_VOLUME_FINALIZER = "naru.dev/docker-volume"

# Who had a pod deleted, as an annotation: `USER with PROGRAM`. What the control plane's own controllers delete has none, for
# they tell it in Events; CONTROLLERS is the name of their program.
DELETED_BY = "naru.dev/deleted-by"
CONTROLLERS = "naru-controllers"
