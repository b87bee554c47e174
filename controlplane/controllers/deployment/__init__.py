"""Deployment: rolls ReplicaSets over from one pod template to the next.

`history` finds and numbers revisions, `rolling` and `recreate` say how many replicas each ReplicaSet should have
next, `status` reports, `plan` puts these decisions together, and `controller` carries them out.
"""

from controlplane.controllers.deployment.controller import DeploymentController

__all__ = ["DeploymentController"]
