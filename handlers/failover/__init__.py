"""The operator's commands over all clouds: `npx sls failover …`, or `python -m handlers.failover`."""
