"""Serves the models that ship with Nexus on loopback: `python -m mesh.local_model`."""
