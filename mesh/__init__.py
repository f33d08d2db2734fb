"""The mesh as one thing: a supervised set of processes, the local models, and the `nexus` command."""
