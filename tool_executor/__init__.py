"""The tool executor: what an agent can do, and the doing of it."""
