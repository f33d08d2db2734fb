"""The orchestrator: runs, the agent graph and conversations."""
