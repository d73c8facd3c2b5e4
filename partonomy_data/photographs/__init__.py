"""Photographs on disk and as they are shown.

decoding     their formats, and which way up they are
inspecting   their files, checked as they are read in
places       where they lie, and one of them opened
views        cut to what a question asks about
overlays     made small, with masks drawn over
licences     which may be changed
"""
