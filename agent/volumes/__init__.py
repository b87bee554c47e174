"""Volumes of pods."""

from agent.volumes.prepared import VolumeError
from agent.volumes.volumes import Volumes, delete_directory

__all__ = ["VolumeError", "Volumes", "delete_directory"]
