"""Orders to erase: carried out, proved, and shown to others."""
