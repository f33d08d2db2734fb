"""How the ports meet the world."""
