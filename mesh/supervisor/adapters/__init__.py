"""The machine as it is: processes, probes, files, locks and ports."""
