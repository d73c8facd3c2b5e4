"""The explorer: a published version to look at, in a browser on the same machine. Needs the extra `explore`.

serving      the command: checks the address, and runs the server
application  the address of each page, and errors as pages
guarding     headers, hosts and methods, before any page
opening      versions that are open, and the connection that pages query
index        small tables made of a version's large ones, so that no page reads a large one whole
rendering    templates; text is escaped, whatever it holds
formatting, spelling, runs  numbers, texts with spans, and what runs tell, as the static report shows them too
drawing      masks as outlines over a photograph; pictures  photographs, small ones, and cuts of them
taxonomy, graph, photographs, questions, results, reports, asking  what the pages show
"""

from partonomy_data.explore.serving import serve

__all__ = ["serve"]
