"""Find problems before a change meets them; each finding has its fix."""
