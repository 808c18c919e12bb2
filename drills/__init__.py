"""Drills: the unchanged deployment, run against local clouds on loopback, to prove its promises. Not deployed."""
