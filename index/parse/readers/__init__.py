"""One module for each family of formats; its `parse` reads a file inside the child.

The modules are named by `index.parse.formats` and imported by `index.parse.worker`; only the child imports
them, because their libraries take seconds.
"""
