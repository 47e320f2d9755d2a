"""Virtual time: a pipeline tried, replayed and compared without a server, a sensor or a clock."""

from reactor.simulation.chronicle import Firing, Keep
from reactor.simulation.script import Script
from reactor.simulation.simulation import START, Simulation, simulate

__all__ = ["START", "Firing", "Keep", "Script", "Simulation", "simulate"]
