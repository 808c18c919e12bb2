"""One folder for each cloud: its adapters, its event parser, its deployment. No folder imports another."""
