"""What a pipeline's own tests import."""

from reactor.simulate import START, Script, Simulation, simulate

__all__ = ["START", "Script", "Simulation", "simulate"]
