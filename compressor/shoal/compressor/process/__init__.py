"""Two processes: one that talks to the user, and a worker that opens what came from outside."""
