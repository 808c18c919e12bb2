"""Google Cloud: Cloud Storage, Pub/Sub, Firestore."""
