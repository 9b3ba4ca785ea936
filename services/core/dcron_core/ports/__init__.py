"""What the services ask of the world, in words. `adapters` answers; `tests/contract` holds both kinds to it."""
