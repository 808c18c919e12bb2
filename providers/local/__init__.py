"""The embedded cloud: a bucket, queues and a ledger in one folder, to try things without account or emulator."""
