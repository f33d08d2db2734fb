"""The dashboard service: a person's own data, for people and for the agent."""
