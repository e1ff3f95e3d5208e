"""What tests of agents need: a scripted reasoner, a runtime to run it on, and processes that die at chosen instants."""

from pagemind.testing.runtime import Bench, bench
from pagemind.testing.scripted import ScriptedReasoner, call

__all__ = ["Bench", "ScriptedReasoner", "bench", "call"]
