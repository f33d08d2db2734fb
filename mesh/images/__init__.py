"""Sets up the images in which untrusted programs run: `python -m mesh.images`."""
