"""What has to happen before pytest reads Django's settings, and the servers that tests need."""
