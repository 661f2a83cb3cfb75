"""Where music may lawfully be had: candidates with evidence of rights."""
