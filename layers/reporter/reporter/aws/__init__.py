"""The annex: adapters to AWS, one per thing. With the sources and the doors, the only rooms that know boto3."""
