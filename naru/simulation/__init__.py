"""A whole cluster of many nodes in one process, in virtual time, from one seed, with faults injected.

Everything is the real thing (API server, controllers, scheduler, agents) but for the ends: a disk that can lose what it has
not answered for, wires that delay and break, container engines in memory. The adversary's and the user's deeds are one list
that is made beforehand (`deeds.py`), so that a failing story replays, and can be made shorter (`shrink.py`).
"""
