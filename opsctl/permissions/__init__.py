"""The IAM policies of operators, pipelines and readers, made from the calls in the code."""
