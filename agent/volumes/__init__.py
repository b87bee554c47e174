"""Volumes of pods."""

from agent.volumes.kernel import delete_directory
from agent.volumes.prepared import VolumeError
from agent.volumes.volumes import Volumes

__all__ = ["VolumeError", "Volumes", "delete_directory"]
