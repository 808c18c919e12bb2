"""A stand-in for a DNS service with health-checked failover: the documented algorithm, on loopback."""
