"""The other clouds, over HTTP: where they are, what they are sent, and how their objects are read."""
