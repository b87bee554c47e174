"""Volumes of pods."""

from agent.volumes.prepared import VolumeError
from agent.volumes.volumes import Volumes

__all__ = ["VolumeError", "Volumes"]
