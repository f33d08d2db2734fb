"""The commands of `nexus`: one file per command or group, imported when it is called."""
