"""Orders to erase: placed again from their receipts."""
