"""Mechanisms that every service uses: errors, identity, server bootstrap, channels, storage, telemetry, tests.

Holds no domain noun: whatever knows of runs, models or tools belongs to a service.
"""
