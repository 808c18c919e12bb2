"""A local Google Cloud: fake-gcs-server, our stand-ins for Pub/Sub and Firestore, and the functions framework."""
