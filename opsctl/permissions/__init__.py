"""What an operator, a pipeline and a reader must be allowed, made from the calls of the code."""
