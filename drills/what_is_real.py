"""What of each local cloud is real, what is emulated, and what it cannot show: said wherever one is started."""

import platform

WHAT_IS_REAL = {
    "aws": f"""\
Real      the deployment's own resources and settings (serverless.yml), the function's code, Amazon's runtime client for
          Lambda (awslambdaric, on Python {platform.python_version()}), boto3, the HTTP requests, the bytes
Emulated  S3, SQS, DynamoDB and CloudFormation by ministack; Lambda's Runtime API, SQS polling and API Gateway by
          drills/aws
Not shown IAM permissions, Lambda's CPU and memory limits, alarms, a network
""",
    "azure": f"""\
Real      the function's code, Microsoft's runtime library for Python functions (azure-functions-runtime, on Python
          {platform.python_version()}) and its gRPC protocol, Microsoft's clients that put and check, the bytes
Emulated  blobs, queues and tables by Azurite; Event Grid and the Functions host by drills/azure
Not shown a declaration of the resources, roles and identities, the plan's limits, a network
""",
    "gcp": f"""\
Real      the function's code, Google's functions framework (on Python {platform.python_version()}), Google's clients
          that put and check, the HTTP and gRPC requests, the bytes
Emulated  Cloud Storage and its notifications by fake-gcs-server; Pub/Sub and Firestore by stand-ins in drills/gcp
Not shown a declaration of the resources, IAM, Eventarc, Cloud Run's scaling and limits, a network
""",
}
