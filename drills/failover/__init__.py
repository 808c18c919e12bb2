"""Failover drills: real load, faults on a time line, every single upload checked, and a verdict with figures."""
