"""Everything that is particular to AWS: S3, SQS and DynamoDB behind the core's ports, its events, its resources."""
