"""What must hold all the time, whatever the adversary does: a module per matter, and the list of all of them."""

from naru.simulation.invariants.base import Invariant
from naru.simulation.invariants.copies import BackOff, OneCopy
from naru.simulation.invariants.log import Answered, Finalizers, Revisions
from naru.simulation.invariants.parts import Fallen, WrittenOff
from naru.simulation.invariants.placement import Capacity, Placed
from naru.simulation.invariants.rollout import Available, Recreate, Surge
from naru.simulation.invariants.traffic import Traffic
from naru.simulation.invariants.truth import Liveness, Truth

ALL: tuple[type[Invariant], ...] = (
    Revisions,
    Answered,
    Finalizers,
    OneCopy,
    BackOff,
    Placed,
    Capacity,
    Surge,
    Available,
    Recreate,
    Traffic,
    Truth,
    Liveness,
    Fallen,
    WrittenOff,
)
