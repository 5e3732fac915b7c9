"""How a knowledge base is: its status, the check for probes, the services that run, and the doctor.

May import: every other room.
"""
