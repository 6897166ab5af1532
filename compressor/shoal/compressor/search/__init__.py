"""The search: which recipes to try, what each costs and scores, and which of them to take."""
