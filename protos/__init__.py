"""The contracts of Nexus, and their generated code in `protos.gen`."""
