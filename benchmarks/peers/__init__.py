"""The same cold sync beside what others use: `make bench-peers`, in an environment of its own.

``recipe`` runs there, and imports nothing of this project; ``__main__`` runs both in turns, and prints the
ratio.
"""
