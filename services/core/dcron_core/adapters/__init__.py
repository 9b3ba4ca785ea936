"""The ports of `dcron_core.ports` on real servers, and in memory for tests and the simulation."""
