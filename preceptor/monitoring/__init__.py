"""What watches production, and what it triggers."""
