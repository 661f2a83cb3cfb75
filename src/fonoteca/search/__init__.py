"""Can people find it?"""
