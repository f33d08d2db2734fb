"""The provider router: one contract in front of every model."""
