"""Sets up the weights of the models that ship with Nexus: `python -m mesh.weights`."""
