"""The trigger algebra: expressions (what a user writes) and operators (what each one does)."""
