"""Virtual time for tests, by its short name."""

from naru.simulation.virtual import START, VirtualClock, VirtualLoop, virtually

__all__ = ["START", "VirtualClock", "VirtualLoop", "virtually"]
