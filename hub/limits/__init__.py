"""Every number that bounds something: named, with its unit and the reason for it, by room.

Nothing is imported here, so every room may read it. Times say their unit in their name, sizes are
bytes unless they say otherwise.
"""
