"""Who is asking, and what they may do (G11); and the keys that things are signed and sealed with (G12)."""
