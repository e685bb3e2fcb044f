"""The API of builds and triggers: for scripts, and for agents that act in a person's name."""
