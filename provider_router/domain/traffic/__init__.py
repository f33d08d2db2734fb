"""Traffic: deployments, keys, breakers, measurements, retries."""
