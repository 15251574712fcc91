"""What would go wrong, before it does: findings, each with its fix."""
