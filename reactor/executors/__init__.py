"""What carries out attempts: on the loop, in a thread, in a warm process, as a command."""
